//! Tests of what is in a message, and of what is refused.

use super::{
    ClientCount, Cooldown, FiguresThere, Found, IncidentThere, Known, LONGEST, LONGEST_NAME, MOST,
    MOST_INCIDENTS, MOST_UPSTREAMS, MOST_WINDOWS, Message, Owned, RateLimit, Says, SeatCount,
    Suspected, TakenThere,
};
use crate::config::SharedConfig;
use crate::event::Unusable;
use crate::shared::signer::Signer;

fn signer() -> Signer {
    Signer::new(&SharedConfig::default())
}

fn message() -> Message {
    Message::new(7, "a", Says::Known(known()))
}

fn known() -> Known {
    let mut known = Known::default();
    known.found.push(Found {
        scope: u64::MAX,
        turn: 3,
        level: 1,
        healed: false,
        answered: false,
        cause: "failures".to_owned(),
        odds: 100,
        out_ms: u64::MAX,
    });
    known.cooldowns.push(Cooldown {
        scope: 1,
        key: 2,
        reason: "rate_limit".to_owned(),
        ms: 1500,
        for_ms: u64::MAX,
    });
    known
}

fn taken() -> TakenThere {
    let client = ClientCount {
        client: u64::MAX,
        requests: (u64::MAX, u64::MAX),
        tokens: (u64::MAX, u64::MAX),
        open: u64::MAX,
        asked: u64::MAX,
    };
    let seat = SeatCount {
        scope: u64::MAX,
        open: u32::MAX,
    };
    TakenThere {
        clients: vec![client; MOST],
        seats: vec![seat; MOST],
    }
}

fn figures() -> FiguresThere {
    let windows = vec![(u64::MAX, u64::MAX); MOST_WINDOWS];
    let incident = IncidentThere {
        scope: Some(u64::MAX),
        cause: "x".repeat(LONGEST_NAME),
        began: u64::MAX,
        ended: Some(u64::MAX),
        counts: (u64::MAX, u64::MAX, u64::MAX),
    };
    FiguresThere {
        upstreams: vec![(u64::MAX, windows.clone()); MOST_UPSTREAMS],
        clients: windows,
        incidents: vec![incident; MOST_INCIDENTS],
    }
}

fn read(message: &Message) -> Result<Message, Unusable> {
    Message::read(&message.written(&signer()), &signer())
}

#[test]
fn what_is_written_is_read() {
    assert_eq!(read(&message()), Ok(message()));
    let mut most = known();
    most.found = vec![known().found[0].clone(); MOST];
    most.cooldowns = vec![known().cooldowns[0].clone(); MOST];
    let owned = Owned {
        id: u64::MAX,
        scope: u64::MAX,
        chats: false,
    };
    most.owners = vec![owned; MOST];
    let rate_limit = RateLimit {
        scope: u64::MAX,
        key: u64::MAX,
        left: u32::MAX,
        limit: Some(u64::MAX),
    };
    most.rate_limits = vec![rate_limit; MOST];
    let suspected = Suspected {
        scope: u64::MAX,
        score: u32::MAX,
        odds: 100,
    };
    most.suspected = vec![suspected; MOST];
    let all = [
        Says::Known(most),
        Says::Taken(taken()),
        Says::Figures(figures()),
        Says::Goodbye,
    ];
    for says in all {
        let message = Message::new(u64::MAX, "a", says);
        assert!(message.written(&signer()).len() < LONGEST);
        assert_eq!(read(&message), Ok(message));
    }
}

#[test]
fn a_lie_is_told_from_a_message() {
    let changed = |change: fn(&mut Message, &mut Known)| {
        let (mut message, mut known) = (message(), known());
        change(&mut message, &mut known);
        message.says = Says::Known(known);
        read(&message)
    };
    assert_eq!(changed(|m, _| m.v = 2), Err(Unusable::OtherVersion));
    for change in [
        (|_, k| k.cooldowns[0].ms = u64::MAX) as fn(&mut Message, &mut Known),
        |_, k| k.cooldowns[0].reason = "whim".to_owned(),
        |_, k| k.found[0].cause = "envy".to_owned(),
        |m, _| m.name = "x".repeat(65),
        |m, _| m.name = "\u{1b}[31m".to_owned(),
        |_, k| k.found = vec![k.found[0].clone(); MOST + 1],
    ] {
        assert_eq!(changed(change), Err(Unusable::Malformed));
    }
    let mut taken = taken();
    taken.clients.push(taken.clients[0].clone());
    let crowded = Message::new(7, "a", Says::Taken(taken));
    assert_eq!(read(&crowded), Err(Unusable::Malformed));
    let mut worded = figures();
    worded.incidents[0].cause = "<b>".to_owned();
    let worded = Message::new(7, "a", Says::Figures(worded));
    assert_eq!(read(&worded), Err(Unusable::Malformed));
    let good = message().written(&signer());
    let mut bent = good.clone();
    bent[40] ^= 1;
    let long = vec![b'x'; LONGEST + 1];
    for (bytes, why) in [
        (bent.as_slice(), Unusable::Forged),
        (&long, Unusable::TooLong),
        (b"", Unusable::Malformed),
        (b"zzzzzzzzzzzzzzzz {}", Unusable::Malformed),
        (&good[..16], Unusable::Malformed),
        (b"0000000000000000 {}", Unusable::Forged),
    ] {
        assert_eq!(Message::read(bytes, &signer()), Err(why));
    }
}
