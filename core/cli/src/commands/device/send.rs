//! Which evidence waits for which network, and what is sent all the same.

use clap::Args;
use fieldseal_core::catalogue::Param;
use fieldseal_core::device::{DeviceError, SendRule};
use fieldseal_core::sync::store::{BlobClass, HeldBack};
use serde_json::{Value, json};

use super::write::id;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::shell::{Outcome, Shell};

/// A rule for each class of evidence; those left out stay. Records have none: they always go.
#[derive(Debug, Args)]
pub struct SendRulesArgs {
    /// Documents and signatures
    #[arg(long, value_name = "RULE", value_parser = ["any", "unmetered", "charging"])]
    documents: Option<String>,
    #[arg(long, value_name = "RULE", value_parser = ["any", "unmetered", "charging"])]
    photographs: Option<String>,
    /// Sound, and files of no other class
    #[arg(long, value_name = "RULE", value_parser = ["any", "unmetered", "charging"])]
    audio: Option<String>,
    #[arg(long, value_name = "RULE", value_parser = ["any", "unmetered", "charging"])]
    video: Option<String>,
}

/// Chooses rules and shows all of them.
pub fn rules(desk: &Desk<'_>, args: &SendRulesArgs) -> Result<Outcome, Failure> {
    let shell = desk.shell;
    let classes = [
        (
            "documents",
            shell.say("文书和签名", "documents and signatures"),
            BlobClass::Paper,
            &args.documents,
        ),
        (
            "photographs",
            shell.say("照片", "photographs"),
            BlobClass::Photo,
            &args.photographs,
        ),
        ("audio", shell.say("录音", "sound"), BlobClass::Audio, &args.audio),
        ("video", shell.say("视频", "films"), BlobClass::Video, &args.video),
    ];
    for (_, _, class, chosen) in &classes {
        if let Some(rule) = chosen.as_deref().and_then(SendRule::of_word) {
            desk.device.set_send_rule(*class, rule)?;
        }
    }
    let rules = desk.device.send_rules()?;
    let mut outcome = Outcome::default();
    let mut json = serde_json::Map::new();
    for (key, words, class, _) in classes {
        let rule = rules.of(class);
        json.insert(key.to_owned(), rule.as_str().into());
        outcome = outcome.line(format!("{words}  {}", rule_words(shell, rule)));
    }
    outcome.json = Value::Object(json);
    Ok(outcome)
}

/// Lets one file, or all that wait, go over any network.
pub fn now(desk: &Desk<'_>, file: Option<&str>) -> Result<Outcome, Failure> {
    let freed = desk.device.send_now(file.map(id).transpose()?)?;
    let counted = [
        ("count", Param::Count(freed.blobs)),
        ("bytes", Param::Bytes(freed.bytes)),
    ];
    let json = json!({ "files": freed.blobs, "bytes": freed.bytes });
    Ok(Outcome::new(json).line(desk.shell.text("send.now", &counted)))
}

/// What waits for a network by its rule, for the status: for `--json` and as sentences.
pub fn waiting(desk: &Desk<'_>) -> Result<(Value, Vec<String>), DeviceError> {
    let (mut json, mut lines) = (serde_json::Map::new(), Vec::new());
    for (rule, code) in [
        (SendRule::Unmetered, "send.unmetered"),
        (SendRule::Charging, "send.charging"),
    ] {
        let HeldBack { blobs, bytes } = desk.device.waiting_under(rule)?;
        json.insert(rule.as_str().to_owned(), json!({ "files": blobs, "bytes": bytes }));
        if blobs > 0 {
            let counted = [("count", Param::Count(blobs)), ("bytes", Param::Bytes(bytes))];
            lines.push(desk.shell.text(code, &counted));
        }
    }
    Ok((Value::Object(json), lines))
}

fn rule_words(shell: &Shell, rule: SendRule) -> String {
    match rule {
        SendRule::Any => shell.say("任何网络", "any network"),
        SendRule::Unmetered => shell.say("不计流量的网络", "a network that is not metered"),
        SendRule::Charging => shell.say(
            "不计流量的网络，充电时",
            "a network that is not metered, while charging",
        ),
    }
}
