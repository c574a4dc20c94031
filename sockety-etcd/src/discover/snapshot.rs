//! All entries at one revision, read in pages.

use etcd_client::{Client, GetOptions};

use crate::{
    error::EtcdError,
    pause::{ANSWER, within},
};

/// How many entries are read at a time. An entry takes some 200 bytes, an answer 4 MiB at most.
const PAGE: i64 = 1000;

/// All entries at one revision.
pub(super) struct Snapshot {
    pub(super) revision: i64,
    pub(super) entries: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Snapshot {
    pub(super) async fn read(client: &mut Client, prefix: &str) -> Result<Self, EtcdError> {
        let (mut from, end) = range(prefix);
        let (mut page, mut revision, mut entries) = (PAGE, 0, Vec::new());
        loop {
            // Revision 0 is the newest one, which the first page names.
            let options = GetOptions::new().with_range(end.clone());
            let options = options.with_limit(page).with_revision(revision);
            let answer = client.get(from.clone(), Some(options));
            let mut answer = match within(ANSWER, "the list of servers", answer).await {
                // One entry always fits: etcd accepts no request of 1.5 MiB.
                Err(error) if error.is_too_large() && page > 1 => {
                    page /= 2;
                    continue;
                }
                answer => answer?,
            };
            if revision == 0 {
                revision = answer.header().map_or(0, |header| header.revision());
            }
            let read = answer.take_kvs();
            let last = read.last().map(|entry| entry.key().to_owned());
            entries.extend(read.into_iter().map(|entry| entry.into_key_value()));
            match last {
                Some(last) if answer.more() => {
                    from = last;
                    from.push(0);
                }
                _ => return Ok(Self { revision, entries }),
            }
        }
    }
}

/// The first key with this prefix and a slash, and the first one after them.
pub(super) fn range(prefix: &str) -> (Vec<u8>, Vec<u8>) {
    let after_the_slash = char::from(b'/' + 1);
    (
        format!("{prefix}/").into_bytes(),
        format!("{prefix}{after_the_slash}").into_bytes(),
    )
}
