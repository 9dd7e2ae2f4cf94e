//! Every message: there and back, damaged, and as recorded bytes.
use crate::env_block::EnvBlock;
use crate::frame::WireError;
use crate::message::*;
use crate::reply::*;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn os() -> impl Strategy<Value = OsString> {
    bytes().prop_map(OsString::from_vec)
}

fn paths() -> impl Strategy<Value = Vec<std::path::PathBuf>> {
    vec(os().prop_map(Into::into), 0..4)
}

fn env() -> impl Strategy<Value = Vec<(OsString, OsString)>> {
    vec((os(), os()), 0..4)
}

fn message() -> impl Strategy<Value = Message> {
    let compile = (vec(os(), 0..5), os(), bytes(), any::<bool>()).prop_map(|(argv, cwd, env, terminal)| {
        Message::Compile(CompileRequest {
            argv,
            cwd: cwd.into(),
            env: EnvBlock(env),
            stderr_is_terminal: terminal,
        })
    });
    let ending = prop_oneof![any::<i32>().prop_map(Ending::Exited), any::<i32>().prop_map(Ending::Signaled)];
    let report = (ending, bytes(), bytes(), any::<bool>(), vec(any::<bool>(), 0..5)).prop_map(
        |(ending, stdout, stderr, cut, watched)| {
            Message::Report(Report { ending, stdout, stderr, cut, watched })
        },
    );
    let orders = [Admin::ShowStats, Admin::ZeroStats, Admin::Stop, Admin::ClearCache].map(Message::Admin);
    prop_oneof![compile, report, proptest::sample::select(orders.to_vec())]
}

fn output(body: impl Strategy<Value = OutputBody>) -> impl Strategy<Value = PlacedOutput> {
    let existing =
        proptest::sample::select(vec![Existing::Replaced, Existing::WrittenInto, Existing::CopiedOver]);
    (os(), any::<bool>(), existing, body).prop_map(|(path, executable, existing, body)| PlacedOutput {
        path: path.into(),
        executable,
        existing,
        body,
    })
}

fn reply() -> impl Strategy<Value = Reply> {
    let body = (option::of(any::<u64>()), bytes())
        .prop_map(|(size, inline)| size.map_or(OutputBody::Inline(inline), OutputBody::Descriptor));
    let coming = vec(output(any::<u64>().prop_map(OutputBody::Descriptor)), 0..4).prop_map(Reply::Coming);
    let grown = any::<u64>().prop_map(Reply::Grown);
    let hit = (any::<i32>(), bytes(), bytes(), vec(output(body), 0..4), any::<String>()).prop_map(
        |(status, stdout, stderr, outputs, notice)| {
            Reply::Hit(HitReply { status, stdout, stderr, outputs, notice })
        },
    );
    let widened = os().prop_map(Into::into);
    let inline = || bytes().prop_map(OutputBody::Inline);
    let stub = (os().prop_map(Into::into), output(inline())).prop_map(|(beside, stub)| Stub { beside, stub });
    let files = (paths(), paths(), option::of(widened), option::of(stub));
    let plan = (vec(os(), 0..5), env(), files, any::<String>()).prop_map(
        |(argv, env, (watched, scratch, widened, stub), notice)| {
            Reply::CompileAndTellMe(Plan { argv, env, watched, scratch, widened, stub, notice })
        },
    );
    let stored = option::of(bytes()).prop_map(|narrowed| Reply::Stored { narrowed });
    let admin = (any::<bool>(), any::<String>()).prop_map(|(done, text)| {
        Reply::Admin(if done { AdminReply::Done(text) } else { AdminReply::Failed(text) })
    });
    let yours = (env(), any::<String>()).prop_map(|(env, notice)| Reply::RunItYourself { env, notice });
    prop_oneof![hit, plan, admin, yours, stored, coming, grown]
}

proptest! {
    #[test]
    fn messages_come_back_as_they_went(message in message()) {
        let (kind, payload) = message.encode();
        prop_assert_eq!(Message::decode(kind, &payload).unwrap(), message);
    }

    #[test]
    fn replies_come_back_as_they_went(reply in reply()) {
        let (kind, payload) = reply.encode();
        prop_assert_eq!(Reply::decode(kind, &payload).unwrap(), reply);
    }

    /// A message has one form: what is not exactly that is refused, at whatever length it is cut or continued.
    #[test]
    fn cut_and_longer_messages_are_refused(message in message(), reply in reply(), more in 0..=255u8) {
        let (kind, mut payload) = message.encode();
        for length in 0..payload.len() {
            prop_assert!(Message::decode(kind, &payload[..length]).is_err());
        }
        payload.push(more);
        prop_assert!(Message::decode(kind, &payload).is_err());
        let (kind, mut payload) = reply.encode();
        for length in 0..payload.len() {
            prop_assert!(Reply::decode(kind, &payload[..length]).is_err());
        }
        payload.push(more);
        prop_assert!(Reply::decode(kind, &payload).is_err());
    }

    #[test]
    fn any_bytes_are_taken_or_refused(kind in 0..9u8, payload in vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Message::decode(kind, &payload) {
            prop_assert_eq!(message.encode(), (kind, payload.clone()));
        }
        if let Ok(reply) = Reply::decode(kind, &payload) {
            prop_assert_eq!(reply.encode(), (kind, payload));
        }
    }

    /// The environment as `getenv` and `environ` see it.
    #[test]
    fn environments_come_back(pairs in vec(("[A-Z_]{1,8}", "[^\0]{0,12}"), 0..6)) {
        let block = EnvBlock::from_pairs(pairs.iter().map(|(n, v)| (n.as_ref(), v.as_ref())));
        let back: Vec<_> = block.iter().map(|(n, v)| (n.to_str().unwrap(), v.to_str().unwrap())).collect();
        prop_assert_eq!(back, pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect::<Vec<_>>());
        for (name, _) in &pairs {
            let first = pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
            prop_assert_eq!(block.get(name).and_then(|v| v.to_str()), first);
        }
    }
}

/// A count that promises more than there is costs no memory.
#[test]
fn claimed_counts_are_not_believed() {
    for kind in 0..9 {
        let claim = [0xff; 12];
        assert!(matches!(Message::decode(kind, &claim), Err(WireError::Malformed)));
        assert!(matches!(Reply::decode(kind, &claim), Err(WireError::Malformed)));
    }
}

fn hex((kind, payload): (u8, Vec<u8>)) -> String {
    let digits = payload.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("{kind} {digits}")
}

/// The protocol, byte by byte. A row that must change means another protocol; the digest of the sources in every
/// frame keeps the two apart, so nothing but this test has to follow.
#[test]
fn the_protocol_is_as_recorded() {
    let compile = Message::Compile(CompileRequest {
        argv: vec!["cc".into(), "-c".into()],
        cwd: "/w".into(),
        env: EnvBlock(b"A=b\0".to_vec()),
        stderr_is_terminal: true,
    });
    let report = Message::Report(Report {
        ending: Ending::Signaled(11),
        stdout: b"o".to_vec(),
        stderr: b"e".to_vec(),
        cut: false,
        watched: vec![true, false],
    });
    let messages = [
        (compile, "1 02000000020000006363020000002d63020000002f7704000000413d620001"),
        (report, "2 010b000000010000006f010000006500020000000100"),
        (Message::Admin(Admin::ClearCache), "3 04"),
    ];
    for (message, expected) in messages {
        assert_eq!(hex(message.encode()), expected, "{message:?}");
    }
    let output =
        |body| PlacedOutput { path: "a".into(), executable: false, existing: Existing::WrittenInto, body };
    let hit = Reply::Hit(HitReply {
        status: -1,
        stdout: b"o".to_vec(),
        stderr: Vec::new(),
        outputs: vec![output(OutputBody::Inline(b"i".to_vec())), output(OutputBody::Descriptor(258))],
        notice: "n".to_owned(),
    });
    let plan = Reply::CompileAndTellMe(Plan {
        argv: vec!["cc".into()],
        env: vec![("A".into(), "b".into())],
        watched: vec!["o".into()],
        scratch: vec!["d".into()],
        widened: Some("f".into()),
        stub: Some(Stub { beside: "r".into(), stub: output(OutputBody::Inline(b"s".to_vec())) }),
        notice: String::new(),
    });
    let replies = [
        (Reply::RunItYourself { env: vec![], notice: "n".to_owned() }, "1 00000000010000006e"),
        (
            hit,
            "2 ffffffff010000006f0000000002000000010000006100010001000000690100000061000101\
             0201000000000000010000006e",
        ),
        (
            plan,
            "3 0100000002000000636301000000010000004101000000620100000001000000\
             6f0100000001000000640101000000660101000000720100000061000100010000007300000000",
        ),
        (Reply::Stored { narrowed: None }, "4 00"),
        (Reply::Stored { narrowed: Some(b"t".to_vec()) }, "4 010100000074"),
        (Reply::Admin(AdminReply::Failed("no".to_owned())), "5 01020000006e6f"),
        (
            Reply::Coming(vec![output(OutputBody::Descriptor(258))]),
            "6 0100000001000000610001010201000000000000",
        ),
        (Reply::Grown(258), "7 0201000000000000"),
    ];
    for (reply, expected) in replies {
        assert_eq!(hex(reply.encode()), expected, "{reply:?}");
    }
}

/// What is on its way has no bytes to be in the message.
#[test]
fn only_files_are_coming() {
    let body = OutputBody::Inline(b"i".to_vec());
    let output = PlacedOutput { path: "a".into(), executable: false, existing: Existing::Replaced, body };
    let (kind, payload) = Reply::Coming(vec![output]).encode();
    assert!(matches!(Reply::decode(kind, &payload), Err(WireError::Malformed)));
}
