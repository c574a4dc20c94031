@0xd1b2c3a4e5f60718;

struct Record {
  id @0 :UInt64;
  owner @1 :UInt32;
  amount @2 :Float64;
  name @3 :Text;
  city @4 :Text;
  note @5 :Text;
}

interface Bench {
  echo @0 (payload :Data) -> (payload :Data);
  upload @1 (payload :Data) -> (bytes :UInt64);
  records @2 (records :List(Record)) -> (records :List(Record));
}
