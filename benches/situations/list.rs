//! The situations.

use std::time::Duration;

use backstop::simulator::{Fault, Script};

use crate::situation::{Bound, Situation, Upstream};

/// All of them; those that take longest are the last.
pub(crate) fn all() -> Vec<Situation> {
    [
        some_are_well(),
        some_fail_now_and_then(),
        limits_and_refusals(),
        away_for_a_while(),
        clients_do_not_wait(),
        all_are_dead(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn some_are_well() -> Vec<Situation> {
    let three_refuse = vec![
        refuses(),
        refuses(),
        refuses(),
        Upstream::well(),
        Upstream::well(),
    ];
    let four_overloaded = || [vec![overloaded(); 4], vec![Upstream::well()]].concat();
    let limited = || {
        let after = seconds(30);
        Upstream::always(Script::fault(Fault::RateLimited { after }))
    };
    let key_refused = Upstream::always(Script::status(401));
    vec![
        Situation::new("3 of 5 refuse connections", three_refuse),
        Situation::new("4 of 5 answer 503", four_overloaded()),
        Situation::new("4 of 5 answer 503, streamed", four_overloaded()).streamed(true),
        Situation::new(
            "two limited for 30 s, one key refused, the fourth well",
            vec![limited(), limited(), key_refused, Upstream::well()],
        ),
    ]
}

fn some_fail_now_and_then() -> Vec<Situation> {
    let fails = |fault: Fault, share| Upstream::always(Script::fault(fault).with_share(share, 0));
    let after_dead = |fault| vec![refuses(), fails(fault, 0.3)];
    let error = || Fault::status(500);
    let drawn = |name, upstreams, share| {
        Situation::new(name, upstreams)
            .requests(80)
            .drawn(5)
            .bound(Bound::Share(share), 2.1)
    };
    let two_halves = || vec![fails(error(), 0.5), fails(error(), 0.5)];
    vec![
        drawn(
            "first dead, second fails 30 % (500)",
            after_dead(error()),
            0.97,
        ),
        drawn(
            "first dead, second fails 30 % (500), streamed",
            after_dead(error()),
            0.97,
        )
        .streamed(true),
        drawn(
            "first dead, second fails 30 % (cut), streamed",
            after_dead(Fault::RoleThenCut),
            0.97,
        )
        .streamed(true),
        drawn(
            "first answers 503, second fails 30 % (500)",
            vec![overloaded(), fails(error(), 0.3)],
            0.97,
        ),
        drawn("two fail 50 % (500)", two_halves(), 0.9),
        drawn("two fail 50 % (500), streamed", two_halves(), 0.9).streamed(true),
        drawn(
            "the only one fails 30 % (500)",
            vec![fails(error(), 0.3)],
            0.97,
        ),
        drawn(
            "the only one fails 30 % (reset)",
            vec![fails(Fault::Reset, 0.3)],
            0.97,
        ),
    ]
}

fn limits_and_refusals() -> Vec<Situation> {
    let five_keys = Script::status(401)
        .with_only_key("one")
        .with_only_key("two");
    let five_keys = Upstream::always(five_keys).with_keys(&["one", "two", "three", "four", "five"]);
    let one_a_second = |fault| Upstream::always(Script::fault(fault).with_spacing(seconds(1)));
    let after = seconds(1);
    vec![
        Situation::new("two of five keys refused", vec![five_keys]),
        Situation::new(
            "one model answers 400 to everything, the second is well",
            vec![Upstream::always(Script::status(400)), Upstream::well()],
        )
        .after_healthy(20)
        .bound(Bound::AllAfter(8), 2.1),
        Situation::new(
            "one request a second, eight at once (no Retry-After)",
            vec![one_a_second(Fault::status(429))],
        )
        .requests(8)
        .at_a_time(8)
        .patient_for(20, true),
        Situation::new(
            "one request a second, eight at once (Retry-After: 1)",
            vec![one_a_second(Fault::RateLimited { after })],
        )
        .requests(8)
        .at_a_time(8)
        .patient_for(20, true),
    ]
}

fn away_for_a_while() -> Vec<Situation> {
    let away = |script: Script, millis| {
        Upstream::always(script).then(Duration::from_millis(millis), Script::healthy())
    };
    let refused = || Script::fault(Fault::Refuse);
    let limited = || {
        let after = seconds(2);
        away(Script::fault(Fault::RateLimited { after }), 2000)
    };
    let mut all = vec![
        Situation::new(
            "the only one restarts for 1.2 s (the package's own retries)",
            vec![away(refused(), 1200)],
        )
        .after_healthy(12)
        .with_retries(2)
        .requests(12),
    ];
    for tells in [true, false] {
        let named = |name: &str, upstreams| {
            Situation::new(format!("{name}, 20 s{}", silently(tells)), upstreams)
                .requests(12)
                .patient_for(20, tells)
        };
        let overloaded = || away(Script::status(503), 3000);
        all.push(named("the only one: 429, Retry-After: 2", vec![limited()]));
        all.push(named(
            "both away 3 s (refused)",
            vec![away(refused(), 3000); 2],
        ));
        all.push(named("both away 3 s (503), streamed", vec![overloaded(); 2]).streamed(true));
    }
    all
}

/// Clients wait for less time than backstop's own timeouts. Before anything is known, those of two rounds may be lost.
fn clients_do_not_wait() -> Vec<Situation> {
    let two_rounds = Bound::AllAfter(8);
    let hangs = || {
        vec![
            Upstream::always(Script::fault(Fault::Hang)),
            Upstream::well(),
        ]
    };
    let slow = Script::healthy().with_first_token_delay(seconds(60));
    let slow = || vec![Upstream::always(slow.clone()), Upstream::well()];
    let mut all = Vec::new();
    for tells in [true, false] {
        for (before, when) in [(0, "fresh"), (24, "after healthy traffic")] {
            for (stream, how) in [(false, ""), (true, ", streamed")] {
                let name = format!("first hangs, 5 s, {when}{how}{}", silently(tells));
                all.push(
                    Situation::new(name, hangs())
                        .after_healthy(before)
                        .thinking_for(Duration::from_millis(1500))
                        .streamed(stream)
                        .patient_for(5, tells)
                        .bound(two_rounds, 2.1),
                );
            }
        }
        for (stream, how) in [(false, ""), (true, ", streamed")] {
            let name = format!("first token after 60 s, 8 s{how}{}", silently(tells));
            all.push(
                Situation::new(name, slow())
                    .streamed(stream)
                    .patient_for(8, tells)
                    .bound(two_rounds, 2.1),
            );
        }
    }
    all
}

fn all_are_dead() -> Vec<Situation> {
    let dead = |name, upstream| {
        Situation::new(name, vec![upstream; 2])
            .requests(80)
            .bound(Bound::Told, 1.3)
    };
    vec![
        dead("all dead (503)", overloaded()),
        dead("all dead (503), 5 s", overloaded()).patient_for(5, true),
        dead("all dead (refused)", refuses()),
    ]
}

fn refuses() -> Upstream {
    Upstream::always(Script::fault(Fault::Refuse))
}

fn overloaded() -> Upstream {
    Upstream::always(Script::status(503))
}

fn silently(tells: bool) -> &'static str {
    if tells { "" } else { ", without a word" }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
