//! The field's standard terms, and the private ones that they replaced.

use super::sources::{Sources, without_comments_and_strings};

/// Names that no code may have again, each with what to say.
const PRIVATE: &[(&str, &str)] = &[
    ("Language", "UpstreamApi"),
    ("Speech", "UpstreamRequest"),
    ("speak", "translate"),
    ("Interpreter", "ResponseTranslator"),
    ("Glossary", "RequestContext"),
    ("Memo", "RequestContext"),
    ("lacks", "unsupported_feature"),
    ("unspeakable", "unsupported"),
    ("unfit", "ineligible"),
    ("Manners", "Quirks"),
    ("manners", "quirks"),
    ("Won", "AttemptAnswer"),
    ("Victory", "WinningAttempt"),
    ("Lost", "Failure"),
    ("Verdict", "UpstreamError"),
    ("verdict", "error"),
    ("Heard", "ReceivedError"),
    ("heard", "received"),
    ("told", "body, error_body"),
    ("untold", "hidden_progress"),
    ("Ask", "RoutingRequest"),
    ("Plan", "AttemptPlan"),
    ("Trail", "AttemptLog"),
    ("trail", "log"),
    ("Left", "Remaining"),
    ("Running", "InFlightAttempt"),
    ("Contender", "Racer"),
    ("PassedOver", "Skipped"),
    ("passed_over", "skipped"),
    ("is_hopeless", "has_no_candidate"),
    ("stands_in", "is_fallback"),
    ("stand_in", "fallback_model"),
    ("Leg", "Segment"),
    ("leg", "segment"),
    ("wish", "continue_prompt"),
    ("cleared", "strip_provider_state"),
    ("foreign", "provider_state"),
    ("ForeignItems", "ProviderBoundItems"),
    ("Strays", "OutOfOrder"),
    ("Astray", "OutOfOrder"),
    ("astray", "out_of_order"),
    ("hollow", "empty"),
    ("is_hollow", "is_empty"),
    ("is_odd", "is_nonstandard"),
    ("is_noise", "is_ignorable"),
    ("Leaf", "ModelHealth"),
    ("leaf", "model"),
    ("leaves", "models"),
    ("Account", "UpstreamHealth"),
    ("word", "packed"),
    ("Gate", "Cooldown"),
    ("gate", "cooldown"),
    ("gates", "cooldowns"),
    ("gated_by", "cooldown_reason"),
    ("Sign", "Evidence"),
    ("convict", "trip_now"),
    ("pardon", "undo_trip"),
    ("Ramp", "SlowStart"),
    ("ramp", "slow_start"),
    ("Trial", "HalfOpenProbe"),
    ("trial", "probe"),
    ("trials", "probes"),
    ("Probed", "HealthChecked"),
    ("Rescue", "EjectionHedge"),
    ("rescue", "ejection_hedge"),
    ("Outlook", "AdmissionPreview"),
    ("outlook", "preview"),
    ("Pins", "Affinity"),
    ("pins", "affinity"),
    ("creator", "owner"),
    ("lives_at", "pinned_to"),
    ("Allowance", "RateLimit"),
    ("allowance", "rate_limit"),
    ("Takeover", "UpgradeHandler"),
    ("takeover", "upgrade"),
    ("Cut", "Shutdown"),
    ("Switch", "Upgrade"),
    ("Tally", "RequestRecord"),
    ("tally", "record"),
    ("TalliedStream", "RecordedStream"),
    ("Tallies", "Counters"),
];

#[test]
fn names_are_those_of_the_field() {
    let mut offences = Vec::new();
    for module in Sources::read().modules() {
        let code = without_comments_and_strings(&module.text);
        for (number, line) in code.lines().enumerate() {
            let names = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            for name in names {
                if let Some((_, say)) = PRIVATE.iter().find(|(private, _)| *private == name) {
                    let (file, line) = (module.file.display(), number + 1);
                    offences.push(format!("{file}:{line}: `{name}`; say {say}"));
                }
            }
        }
    }
    assert!(offences.is_empty(), "{offences:#?}");
}
