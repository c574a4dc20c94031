//! Each rule about actions: its verdict, and for those that a type cannot show, what a call does.

#![allow(
    clippy::use_self,
    clippy::too_many_arguments,
    reason = "specta has no `Self`, and a service here has all types"
)]
#![allow(dead_code, reason = "services that are only described")]

use std::str::FromStr;

use sockety::{CallError, FastReply, Router, pair, serve::IntoRouter, service};
use sockety_schema::{Allowed, Direction, Report, Rule, Schema, Verdict, compare, of};

macro_rules! judged {
    ($name:ident: $($rule:literal)*, $verdict:ident, { $($old:tt)* } { $($new:tt)* }) => {
        #[test]
        fn $name() {
            let report = compare(&judged!(@schema $($old)*), &judged!(@schema $($new)*));
            check(&report, &[$($rule),*], Verdict::$verdict);
        }
    };
    (@schema $($item:tt)*) => {{
        #[allow(unused_imports)]
        use sockety::{ByteStream, File, Streaming};

        #[service]
        trait Bank {
            $($item)*
        }
        of::<BankClient>().expect("described")
    }};
}

fn check(report: &Report, rules: &[&str], verdict: Verdict) {
    let mut found: Vec<_> = report
        .changes
        .iter()
        .map(|change| change.rule.id())
        .collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, rules, "{report}");
    assert_eq!(report.verdict(), verdict, "{report}");
}

judged! {
    v1_an_action_is_gone: "action.gone", Breaking,
    { async fn get(&self); async fn put(&self); }
    { async fn get(&self); }
}

judged! {
    v1_an_action_is_renamed: "action.gone" "action.new", Breaking,
    { async fn get(&self); }
    { async fn fetch(&self); }
}

judged! {
    v1_an_action_is_renamed_with_an_alias: "action.new", ServersFirst,
    { async fn get(&self); }
    { #[action(alias = ["get"])] async fn fetch(&self); }
}

judged! {
    v2_an_action_is_new: "action.new", ServersFirst,
    { async fn get(&self); }
    { async fn get(&self); async fn put(&self); }
}

judged! {
    v3_one_parameter_became_several: "parameters.form", Breaking,
    { async fn get(&self, id: u64); }
    { async fn get(&self, id: u64, limit: Option<u64>); }
}

judged! {
    v3_the_only_parameter_has_no_name: , Compatible,
    { async fn get(&self, id: u64); }
    { async fn get(&self, number: u64); }
}

judged! {
    v4_the_first_parameter_is_needed: "field.new", ClientsFirst,
    { async fn get(&self); }
    { async fn get(&self, id: u64); }
}

judged! {
    v5_the_first_parameter_is_optional: "field.new", Compatible,
    { async fn get(&self); }
    { async fn get(&self, id: Option<u64>); }
}

judged! {
    v4_a_parameter_is_needed: "field.new", ClientsFirst,
    { async fn get(&self, a: u8, b: u8); }
    { async fn get(&self, a: u8, b: u8, c: u8); }
}

judged! {
    v5_a_parameter_has_a_default: "field.new", Compatible,
    { async fn get(&self, a: u8, b: u8); }
    { async fn get(&self, a: u8, b: u8, #[param(default)] c: u8); }
}

judged! {
    v7_a_parameter_is_renamed: "field.name", Breaking,
    { async fn get(&self, a: u8, b: Option<u8>); }
    { async fn get(&self, a: u8, c: Option<u8>); }
}

judged! {
    v7_a_parameter_is_renamed_with_an_alias: "field.name", ServersFirst,
    { async fn get(&self, a: u8, b: Option<u8>); }
    { async fn get(&self, a: u8, #[param(alias = ["b"])] c: Option<u8>); }
}

judged! {
    v8_items_of_a_stream_are_wider: "number.range", ServersFirst,
    { async fn get(&self, items: Streaming<u8>); }
    { async fn get(&self, items: Streaming<u16>); }
}

judged! {
    v8_items_of_a_returned_stream_are_wider: "number.range", ClientsFirst,
    { async fn get(&self) -> Streaming<u8>; }
    { async fn get(&self) -> Streaming<u16>; }
}

judged! {
    v8_a_returned_value_is_wider: "number.range", ClientsFirst,
    { async fn get(&self) -> u8; }
    { async fn get(&self) -> u16; }
}

judged! {
    v17_a_file_is_new: "content.form", Breaking,
    { async fn get(&self, id: u8); }
    { async fn get(&self, id: u8, file: File); }
}

judged! {
    v17_a_file_became_several: "content.form", Breaking,
    { async fn get(&self, file: File); }
    { async fn get(&self, file: Vec<File>); }
}

judged! {
    v17_a_returned_stream_is_of_bytes: "content.form", Breaking,
    { async fn get(&self) -> Streaming<u8>; }
    { async fn get(&self) -> ByteStream; }
}

judged! {
    v17_files_may_be_anywhere_among_the_parameters: , Compatible,
    { async fn get(&self, id: u8, file: File, rest: Vec<File>); }
    { async fn get(&self, file: File, rest: Vec<File>, id: u8); }
}

judged! {
    v17_files_have_another_order: "content.form", Breaking,
    { async fn get(&self, image: File, thumb: File); }
    { async fn get(&self, thumb: File, image: File); }
}

judged! {
    v17_a_file_has_another_name: , Compatible,
    { async fn get(&self, image: File, thumb: File); }
    { async fn get(&self, picture: File, thumb: File); }
}

judged! {
    v1_an_alias_is_another_action_now: "parameters.form", Breaking,
    { #[action(alias = ["find"])] async fn get(&self, id: u64); }
    { async fn get(&self, id: u64); async fn find(&self, a: u8, b: u8); }
}

judged! {
    v1_an_alias_belongs_to_another_action_now: "type", Breaking,
    { #[action(alias = ["find"])] async fn get(&self, id: u64); async fn all(&self, name: String); }
    { async fn get(&self, id: u64); #[action(alias = ["find"])] async fn all(&self, name: String); }
}

judged! {
    v18_callers_get_no_reply_any_more: "reply.form", Breaking,
    { async fn get(&self); }
    { #[action(one_way)] async fn get(&self); }
}

judged! {
    v19_an_action_is_not_idempotent_any_more: "idempotent.gone", Breaking,
    { #[action(idempotent)] async fn get(&self); }
    { async fn get(&self); }
}

// New clients repeat it, and old servers are not prepared for that.
judged! {
    v19_an_action_is_idempotent_now: "idempotent.new", ServersFirst,
    { async fn get(&self); }
    { #[action(idempotent)] async fn get(&self); }
}

judged! {
    v20_limits_are_lower: "limit" "timeout", Warning,
    { #[action(timeout = "2s", limit(payload = "2KiB"))] async fn get(&self, id: u8); }
    { #[action(timeout = "1s", limit(payload = "1KiB"))] async fn get(&self, id: u8); }
}

judged! {
    v20_a_long_timeout_is_gone: "timeout", Warning,
    { #[action(timeout = "5m")] async fn get(&self, id: u8); }
    { async fn get(&self, id: u8); }
}

judged! {
    v20_a_timeout_like_that_of_callers_is_gone: , Compatible,
    { #[action(timeout = "30s")] async fn get(&self, id: u8); }
    { async fn get(&self, id: u8); }
}

judged! {
    v20_limits_are_new: "limit" "timeout", Warning,
    { async fn get(&self, id: u8); }
    { #[action(timeout = "1s", limit(payload = "1KiB"))] async fn get(&self, id: u8); }
}

judged! {
    v20_limits_are_higher: , Compatible,
    { #[action(timeout = "1s", limit(payload = "1KiB"))] async fn get(&self, id: u8); }
    { #[action(timeout = "2s", limit(payload = "2KiB"))] async fn get(&self, id: u8); }
}

judged! {
    v21_a_value_is_returned_now: "type", Breaking,
    { async fn get(&self); }
    { async fn get(&self) -> u8; }
}

judged! {
    orders_of_two_actions_are_two_steps: "field.new" "number.range" "order", ClientsFirst,
    { async fn get(&self, id: u8); async fn put(&self, a: u8, b: u8); }
    { async fn get(&self, id: u16); async fn put(&self, a: u8, b: u8, c: u8); }
}

judged! {
    one_action_has_no_two_orders: "field.new" "number.range" "order", Breaking,
    { async fn put(&self, a: u8, b: u8); }
    { async fn put(&self, a: u8, b: u16, c: u8); }
}

judged! {
    a_type_that_travels_both_ways_has_no_two_orders: "number.range" "order", Breaking,
    { async fn put(&self, a: (u8,)) -> (u8,); }
    { async fn put(&self, a: (u16,)) -> (u16,); }
}

#[test]
fn an_action_may_move_to_another_service() {
    let mut schema = judged!(@schema async fn get(&self););
    let old = schema.clone();
    let bank = schema.services.remove("Bank").expect("the service");
    schema.services.insert("Other".to_owned(), bank);
    assert_eq!(compare(&old, &schema), Report::default());
}

#[test]
fn changes_of_one_type_are_one_change() {
    #[derive(serde::Serialize, serde::Deserialize, specta::Type)]
    struct Account {
        id: u8,
    }

    mod later {
        #[derive(serde::Serialize, serde::Deserialize, specta::Type)]
        pub(crate) struct Account {
            id: u8,
            name: String,
        }
    }

    let old = judged!(@schema
        async fn get(&self, account: Account);
        async fn put(&self, account: Vec<Account>);
    );
    let new = judged!(@schema
        async fn get(&self, account: later::Account);
        async fn put(&self, account: Vec<later::Account>);
    );
    let report = compare(&old, &new);
    let [change] = &report.changes[..] else {
        panic!("{report}");
    };
    assert_eq!(change.path, "get/request/account/Account.name");
    assert_eq!(change.also, ["put/request/account[]/Account.name"]);
    assert_eq!(change.direction, Some(Direction::Request));
    let line = "clients first: get/request/account/Account.name: is new [field.new], also put/request/account[]/Account.name";
    assert_eq!(change.to_string(), line);
}

#[test]
fn every_use_of_a_type_is_said() {
    let old = judged!(@schema async fn get(&self, a: u8, b: u8, c: Vec<i8>););
    let new = judged!(@schema async fn get(&self, a: u16, b: u16, c: Vec<i16>););
    let report = compare(&old, &new);
    let paths: Vec<_> = report.changes.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["get/request/a", "get/request/b", "get/request/c[]"]);
}

#[test]
fn changes_can_be_allowed_by_rule_and_place() {
    let old = judged!(@schema async fn get(&self, a: u8, b: u8); async fn put(&self); );
    let new = judged!(@schema async fn get(&self, a: u8, b: String););
    let report = compare(&old, &new);
    check(&report, &["action.gone", "type"], Verdict::Breaking);
    let with = |allowed: &[&str]| {
        let mut report = report.clone();
        for text in allowed {
            report.allow(&Allowed::from_str(text).expect("a rule"));
        }
        report.is_breaking()
    };
    assert!(with(&["action.gone"]));
    assert!(with(&["action.gone", "type:get/request/a"]));
    assert!(!with(&["action.gone", "type"]));
    assert!(!with(&["action.gone:put", "type:get"]));
    assert!(!with(&["action.gone:put", "type:get/request"]));
    assert!(!with(&["action.gone:put", "type:get/request/b"]));
    assert!(!with(&["action.gone:put", "type:b"]));
    let error = Allowed::from_str("fields").expect_err("no rule");
    assert!(
        error
            .to_string()
            .starts_with("unknown rule \"fields\": rules are action.gone, ")
    );
}

mod errors {
    use serde::{Deserialize, Serialize};
    use sockety::ServiceError;
    use specta::Type;

    #[derive(Debug, Serialize, Deserialize, Type, ServiceError)]
    pub(crate) enum Old {
        #[code(16)]
        Missing,
        #[code(17)]
        Poor { missing: u64 },
    }

    #[derive(Debug, Serialize, Deserialize, Type, ServiceError)]
    pub(crate) enum More {
        #[code(16)]
        Missing,
        #[code(17)]
        Poor { missing: u64 },
        #[code(18)]
        Locked,
        #[code(19)]
        Frozen { until: u64 },
    }

    #[derive(Debug, Serialize, Deserialize, Type, ServiceError)]
    pub(crate) enum Recoded {
        #[code(20)]
        Missing,
        #[code(17)]
        Poor { missing: u64 },
    }

    #[derive(Debug, Serialize, Deserialize, Type, ServiceError)]
    pub(crate) enum Detailed {
        #[code(16)]
        Missing { id: u64 },
        #[code(17)]
        Poor { missing: u64 },
    }

    #[derive(Debug, Serialize, Deserialize, Type, ServiceError)]
    pub(crate) enum Renamed {
        #[code(16)]
        Absent,
        #[code(17)]
        Poor { missing: u64 },
    }

    #[derive(Debug, Serialize, Deserialize, Type, ServiceError)]
    pub(crate) enum RenamedDetails {
        #[code(16)]
        Missing,
        #[code(17)]
        TooPoor { missing: u64 },
    }

    #[derive(Debug, Serialize, Deserialize, Type, ServiceError)]
    pub(crate) enum RenamedOnTheWire {
        #[code(16)]
        Missing,
        #[code(17)]
        #[serde(rename = "poor")]
        Poor { missing: u64 },
    }

    #[derive(Debug, Serialize, Deserialize, Type, ServiceError)]
    pub(crate) enum Grown {
        #[code(16)]
        Missing,
        #[code(17)]
        Poor { missing: u64, limit: u64 },
    }
}

judged! {
    v15_errors_are_new: "error.new", Compatible,
    { async fn get(&self) -> Result<(), errors::Old>; }
    { async fn get(&self) -> Result<(), errors::More>; }
}

judged! {
    v15_there_are_errors_now: "error.new", Compatible,
    { async fn get(&self); }
    { async fn get(&self) -> Result<(), errors::Old>; }
}

judged! {
    v15_errors_are_gone: , Compatible,
    { async fn get(&self) -> Result<(), errors::More>; }
    { async fn get(&self) -> Result<(), errors::Old>; }
}

judged! {
    v16_an_error_has_another_code: "error.form", Breaking,
    { async fn get(&self) -> Result<(), errors::Old>; }
    { async fn get(&self) -> Result<(), errors::Recoded>; }
}

judged! {
    v16_an_error_has_data_now: "enum.form" "error.form", Breaking,
    { async fn get(&self) -> Result<(), errors::Old>; }
    { async fn get(&self) -> Result<(), errors::Detailed>; }
}

judged! {
    v16_an_error_that_is_a_code_has_another_name: "error.form", Warning,
    { async fn get(&self) -> Result<(), errors::Old>; }
    { async fn get(&self) -> Result<(), errors::Renamed>; }
}

judged! {
    v16_an_error_with_data_has_another_name: "error.form", Breaking,
    { async fn get(&self) -> Result<(), errors::Old>; }
    { async fn get(&self) -> Result<(), errors::RenamedDetails>; }
}

judged! {
    v15_errors_of_a_stream_are_new: "error.new", Compatible,
    { async fn get(&self, items: Streaming<u8, errors::Old>) -> Streaming<u8>; }
    { async fn get(&self, items: Streaming<u8, errors::More>) -> Streaming<u8, errors::Old>; }
}

judged! {
    v15_errors_of_a_stream_are_gone: , Compatible,
    { async fn get(&self) -> Streaming<u8, errors::More>; }
    { async fn get(&self) -> Streaming<u8, errors::Old>; }
}

judged! {
    v16_an_error_of_a_stream_has_another_code: , Compatible,
    { async fn get(&self) -> Streaming<u8, errors::Old>; }
    { async fn get(&self) -> Streaming<u8, errors::Recoded>; }
}

judged! {
    v16_an_error_of_a_stream_has_another_name: "error.form", Breaking,
    { async fn get(&self, items: Streaming<u8, errors::Old>); }
    { async fn get(&self, items: Streaming<u8, errors::Renamed>); }
}

judged! {
    v16_an_error_of_a_stream_has_data_now: "enum.form", Breaking,
    { async fn get(&self) -> Streaming<u8, errors::Old>; }
    { async fn get(&self) -> Streaming<u8, errors::Detailed>; }
}

judged! {
    v16_data_of_an_error_of_a_stream_has_a_new_field: "field.new", ServersFirst,
    { async fn get(&self) -> Streaming<u8, errors::Old>; }
    { async fn get(&self) -> Streaming<u8, errors::Grown>; }
}

judged! {
    v16_data_of_an_error_has_another_name: "error.form", Breaking,
    { async fn get(&self) -> Result<(), errors::Old>; }
    { async fn get(&self) -> Result<(), errors::RenamedOnTheWire>; }
}

judged! {
    v16_data_of_an_error_has_a_new_field: "field.new", ServersFirst,
    { async fn get(&self) -> Result<(), errors::Old>; }
    { async fn get(&self) -> Result<(), errors::Grown>; }
}

mod old {
    use sockety::service;

    use crate::errors::Old;

    #[service]
    pub(crate) trait Bank {
        async fn gone(&self);
        async fn renamed(&self) -> u8;
        async fn form(&self, a: u8) -> u8;
        async fn first(&self) -> u8;
        async fn optional(&self) -> u8;
        async fn parameters(&self, a: u8, b: Option<u8>) -> u8;
        async fn new_error(&self, details: bool) -> Result<(), Old>;
        async fn recoded(&self) -> Result<(), Old>;
        async fn detailed(&self) -> Result<(), Old>;
        async fn code_renamed(&self) -> Result<(), Old>;
        async fn file(&self, a: u8) -> u8;
    }
}

mod new {
    use sockety::{File, service};

    use crate::errors::{Detailed, More, Recoded, Renamed};

    #[service]
    pub(crate) trait Bank {
        #[action(alias = ["renamed"])]
        async fn other(&self) -> u8;
        async fn form(&self, a: u8, b: Option<u8>) -> u8;
        async fn first(&self, a: u8) -> u8;
        async fn optional(&self, a: Option<u8>) -> u8;
        async fn parameters(
            &self,
            a: u8,
            #[param(alias = ["b"])] c: Option<u8>,
            #[param(default)] d: u8,
        ) -> u8;
        async fn new_error(&self, details: bool) -> Result<(), More>;
        async fn recoded(&self) -> Result<(), Recoded>;
        async fn detailed(&self) -> Result<(), Detailed>;
        async fn code_renamed(&self) -> Result<(), Renamed>;
        async fn file(&self, a: u8, file: File) -> u8;
    }

    pub(crate) struct Here;

    impl Bank for Here {
        async fn other(&self) -> u8 {
            7
        }

        async fn form(&self, a: u8, _: Option<u8>) -> u8 {
            a
        }

        async fn first(&self, a: u8) -> u8 {
            a
        }

        async fn optional(&self, a: Option<u8>) -> u8 {
            a.unwrap_or(9)
        }

        async fn parameters(&self, a: u8, c: Option<u8>, d: u8) -> u8 {
            a + c.unwrap_or(100) + d
        }

        async fn new_error(&self, details: bool) -> Result<(), More> {
            Err(if details {
                More::Frozen { until: 1 }
            } else {
                More::Locked
            })
        }

        async fn recoded(&self) -> Result<(), Recoded> {
            Err(Recoded::Missing)
        }

        async fn detailed(&self) -> Result<(), Detailed> {
            Err(Detailed::Missing { id: 1 })
        }

        async fn code_renamed(&self) -> Result<(), Renamed> {
            Err(Renamed::Absent)
        }

        async fn file(&self, a: u8, _: File) -> u8 {
            a
        }
    }
}

/// What the verdicts about actions say happens, with a client that is older than its server.
#[tokio::test]
async fn an_old_client_calls_a_new_server() {
    let router = new::BankServer::new(new::Here).into_router();
    let (connection, _server) = pair(Router::new(), router).await.expect("connected");
    let client = old::BankClient::new(connection);
    let old: Schema = of::<old::BankClient>().expect("described");
    let report = compare(&old, &of::<new::BankClient>().expect("described"));
    let verdict = |rule: Rule, path: &str| {
        let change = report
            .changes
            .iter()
            .find(|it| it.rule == rule && it.path == path);
        change
            .unwrap_or_else(|| panic!("{rule} {path}: {report}"))
            .verdict
    };

    let gone = client.gone().await.expect_err("gone");
    assert_eq!(code(&gone), Some(FastReply::NOT_IMPLEMENTED));
    assert_eq!(verdict(Rule::ActionGone, "gone"), Verdict::Breaking);

    assert_eq!(client.renamed().await.expect("an alias"), 7);
    assert_eq!(verdict(Rule::ActionNew, "other"), Verdict::ServersFirst);

    let form = client.form(1).await.expect_err("a bare value");
    assert!(
        matches!(form, CallError::Refused { .. } | CallError::Remote { .. }),
        "{form}"
    );
    assert_eq!(
        verdict(Rule::ParametersForm, "form/request"),
        Verdict::Breaking
    );

    client.first().await.expect_err("a parameter is missing");
    assert_eq!(
        verdict(Rule::FieldNew, "first/request/a"),
        Verdict::ClientsFirst
    );
    assert_eq!(client.optional().await.expect("none"), 9);
    assert_eq!(
        verdict(Rule::FieldNew, "optional/request/a"),
        Verdict::Compatible
    );

    assert_eq!(client.parameters(1, Some(2)).await.expect("read"), 3);
    assert_eq!(
        verdict(Rule::FieldName, "parameters/request/c"),
        Verdict::ServersFirst
    );
    assert_eq!(
        verdict(Rule::FieldNew, "parameters/request/d"),
        Verdict::Compatible
    );

    // The old client has no variant for either, and goes on.
    for details in [false, true] {
        let error = client.new_error(details).await.expect_err("an error");
        assert!(!matches!(error, CallError::Service(_)), "{error}");
    }
    let error = client.recoded().await.expect_err("an error");
    assert!(!matches!(error, CallError::Service(_)), "{error}");
    assert_eq!(
        verdict(Rule::ErrorForm, "recoded/reply/error.Missing"),
        Verdict::Breaking
    );
    let error = client.detailed().await.expect_err("an error");
    assert!(!matches!(error, CallError::Service(_)), "{error}");
    assert_eq!(
        verdict(Rule::ErrorForm, "detailed/reply/error.Missing"),
        Verdict::Breaking
    );
    let error = client.code_renamed().await.expect_err("an error");
    assert!(
        matches!(error, CallError::Service(errors::Old::Missing)),
        "{error}"
    );

    client.file(1).await.expect_err("a file is missing");
    assert_eq!(verdict(Rule::ContentForm, "file"), Verdict::Breaking);
}

fn code<E>(error: &CallError<E>) -> Option<FastReply> {
    match error {
        CallError::Refused { code, .. } => Some(*code),
        _ => None,
    }
}
