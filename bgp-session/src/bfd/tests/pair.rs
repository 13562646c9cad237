//! Two sessions over a lossy path, in virtual time from a seed.

use super::*;

struct Net {
    now: Instant,
    ends: [Session; 2],
    /// Packets under way, each with the time of its arrival and its destination.
    path: Vec<(Instant, usize, Packet)>,
    /// The percentage of lost packets.
    loss: u32,
    random: fastrand::Rng,
}

impl Net {
    fn new(a: BfdProfile, b: BfdProfile, loss: u32, seed: u64) -> Self {
        let now = epoch();
        let end =
            |profile, number| Session::new(now, profile, NonZeroU32::new(number).unwrap(), seed);
        let ends = [end(a, 1), end(b, 2)];
        Self { now, ends, path: Vec::new(), loss, random: fastrand::Rng::with_seed(seed) }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            for (index, session) in self.ends.iter_mut().enumerate() {
                session.handle_timeout(self.now);
                while let Some(packet) = session.poll_transmit(self.now) {
                    assert!(!(packet.poll && packet.final_answer));
                    let octets = packet.encode();
                    let arrival = self.now + ms(self.random.u64(1..8));
                    if self.random.u32(0..100) >= self.loss {
                        // A link keeps the order.
                        let before = self.path.iter().rev().find(|(_, to, _)| *to != index);
                        let arrival = before.map_or(arrival, |(at, ..)| arrival.max(*at));
                        let packet = Packet::decode(&octets).unwrap();
                        self.path.push((arrival, 1 - index, packet));
                    }
                }
            }
            let arrivals = self.path.iter().map(|(at, ..)| *at);
            let timeouts = self.ends.iter().filter_map(Session::poll_timeout);
            let Some(next) = arrivals.chain(timeouts).min().filter(|next| *next <= end) else {
                break;
            };
            self.now = next.max(self.now);
            let (due, rest) = self.path.drain(..).partition(|(at, ..)| *at <= self.now);
            self.path = rest;
            for (_, index, packet) in due {
                self.ends[index].receive(self.now, &packet);
            }
        }
        self.now = end;
    }

    fn states(&self) -> [State; 2] {
        [self.ends[0].state(), self.ends[1].state()]
    }
}

#[test]
fn two_ends_come_up_and_agree_on_timers() {
    let slow = BfdProfile::new().transmit_interval(ms(400)).receive_interval(ms(200)).multiplier(5);
    let mut net = Net::new(BfdProfile::new().interval(ms(50)), slow, 0, 1);
    net.run(ms(3_000));
    assert_eq!(net.states(), [State::Up; 2]);
    assert_eq!(net.ends[0].transmit_interval(), ms(200));
    assert_eq!(net.ends[0].detection_time(), ms(5 * 400));
    assert_eq!(net.ends[1].transmit_interval(), ms(400));
    assert_eq!(net.ends[1].detection_time(), ms(3 * 200));
    assert_eq!([0, 1].map(|end| net.ends[end].remote_detection_time()), [ms(600), ms(2_000)]);
}

#[test]
fn a_quiet_path_never_raises_a_false_alarm() {
    for seed in 0..20 {
        let fast = BfdProfile::new().interval(ms(50));
        let mut net = Net::new(fast, fast, 0, seed);
        net.run(ms(600_000));
        assert_eq!(net.states(), [State::Up; 2]);
        assert_eq!([0, 1].map(|end| net.ends[end].stats().failures), [0, 0], "seed {seed}");
    }
}

#[test]
fn a_dead_path_is_noticed_in_time_at_both_ends_and_heals() {
    for seed in 0..50 {
        let fast = BfdProfile::new().interval(ms(50));
        let mut net = Net::new(fast, fast, 0, seed);
        net.run(ms(3_000));
        net.loss = 100;
        net.run(ms(160));
        assert_eq!(net.states(), [State::Down; 2], "seed {seed}");
        net.run(ms(10_000));
        net.loss = 0;
        net.run(ms(3_000));
        assert_eq!(net.states(), [State::Up; 2], "seed {seed}");
        assert_eq!([0, 1].map(|end| net.ends[end].stats().failures), [1, 1]);
    }
}

#[test]
fn two_ends_agree_over_a_lossy_path() {
    for seed in 0..200 {
        let fast = BfdProfile::new().interval(ms(50)).multiplier(2);
        let mut net = Net::new(fast, BfdProfile::new().passive(), 40, seed);
        net.run(ms(60_000));
        net.ends[0].set_profile(net.now, fast.transmit_interval(ms(700)));
        net.run(ms(60_000));
        net.loss = 0;
        net.run(ms(6_000));
        assert_eq!(net.states(), [State::Up; 2], "seed {seed}");
        assert_eq!(net.ends[0].transmit_interval(), ms(700));
    }
}

#[test]
fn a_restarted_end_comes_back_with_another_discriminator() {
    let fast = BfdProfile::new().interval(ms(50));
    let mut net = Net::new(fast, fast, 0, 3);
    net.run(ms(3_000));
    net.ends[1] = Session::new(net.now, fast, NonZeroU32::new(3).unwrap(), 9);
    net.run(ms(5_000));
    assert_eq!(net.states(), [State::Up; 2]);
    assert_eq!(net.ends[0].remote_discriminator(), 3);
    assert_eq!(
        net.ends[0].stats().failures,
        1,
        "a session that the other end has forgotten goes down"
    );
}

#[test]
fn an_end_out_of_service_is_no_failure_of_the_path() {
    let mut net = Net::new(BfdProfile::new(), BfdProfile::new(), 0, 4);
    net.run(ms(5_000));
    let now = net.now;
    net.ends[1].disable(now);
    net.run(ms(5_000));
    assert_eq!(net.states(), [State::Down, State::AdminDown]);
    assert_eq!(net.ends[0].remote_state(), State::AdminDown);
    assert_eq!(net.ends[0].stats().failures, 0);
    let now = net.now;
    net.ends[1].enable(now);
    net.run(ms(5_000));
    assert_eq!(net.states(), [State::Up; 2]);
}
