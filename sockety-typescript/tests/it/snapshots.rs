//! What is written, as a person reads it.

use std::fs;

use expect_test::expect_file;
use sockety_schema::Schema;
use sockety_typescript::{ExportError, check, export, typescript};

use crate::services::{
    BankClient, ErrorsClient, NothingClient, StreamsClient, ValuesClient, WordsClient, schema_of,
};

macro_rules! same {
    ($client:ty, $file:literal) => {
        let schema = schema_of::<$client>();
        let text = typescript(&schema).expect("written");
        expect_file![concat!("../snapshots/", $file)].assert_eq(&text);
    };
}

#[test]
fn services_are_written_as_before() {
    same!(BankClient, "bank.ts");
    same!(ValuesClient, "values.ts");
    same!(ErrorsClient, "errors.ts");
    same!(WordsClient, "words.ts");
    same!(NothingClient, "nothing.ts");
    same!(StreamsClient, "streams.ts");
}

#[test]
fn services_that_share_types_share_them_in_one_file() {
    let mut both = schema_of::<BankClient>();
    let errors = schema_of::<ErrorsClient>();
    both.services.extend(errors.services);
    let mut renamed = both.services["Bank"].clone();
    renamed.actions.remove("bank.note");
    both.services.insert("Branch".to_owned(), renamed);
    let text = typescript(&both).expect("written");
    assert_eq!(text.matches("export interface Transfer {").count(), 1);
    assert_eq!(text.matches("interface Transfer").count(), 1);
    assert!(text.contains("export class BranchClient implements Branch"));

    // Of the same name, and not the same.
    let branch = both.services.get_mut("Branch").expect("there");
    let other = branch.types["Update"].clone();
    branch.types.insert("Transfer".to_owned(), other);
    let text = typescript(&both).expect("written");
    assert!(
        text.contains("transfer(transfer: Transfer2, options?"),
        "{text}"
    );
}

#[test]
fn equal_schemas_have_equal_texts() {
    let schema = schema_of::<ValuesClient>();
    let read = Schema::from_json(&schema.to_json()).expect("read");
    assert_eq!(
        typescript(&schema).expect("written"),
        typescript(&read).expect("written")
    );
}

#[test]
fn a_file_is_checked_and_written_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new/bank.ts");
    assert!(matches!(
        check::<BankClient>(&path),
        Err(ExportError::Io { .. })
    ));
    export::<BankClient>(&path).expect("exported");
    check::<BankClient>(&path).expect("the same");

    let text = fs::read_to_string(&path).expect("read");
    fs::write(&path, text.replace('\n', "\r\n")).expect("written");
    check::<BankClient>(&path).expect("the same but for line ends");

    fs::write(&path, text.replacen("transfer", "send", 1)).expect("written");
    let error = check::<BankClient>(&path).expect_err("another");
    assert!(
        error
            .to_string()
            .contains("differs from the service at line "),
        "{error}"
    );
    export::<BankClient>(&path).expect("exported");
    check::<BankClient>(&path).expect("the same");
    // Cut off at its end.
    fs::write(&path, &text[..text.len() - 1]).expect("written");
    assert!(matches!(
        check::<BankClient>(&path),
        Err(ExportError::Differs { .. })
    ));
}
