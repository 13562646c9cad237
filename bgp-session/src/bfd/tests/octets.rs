//! The packet: its octets, and each check of RFC 5880 section 6.8.6.

use super::*;

/// Section 4.1, by hand: Up, P and C, "neighbor signaled", multiplier 5.
const WIRE: [u8; 24] =
    [0x23, 0xe8, 5, 24, 0, 0, 0, 99, 0, 0, 0, 7, 0, 4, 0x93, 0xe0, 0, 0, 0xc3, 0x50, 0, 0, 0, 0];

fn with(index: usize, octet: u8) -> Result<Packet, PacketError> {
    let mut wire = WIRE;
    wire[index] = octet;
    Packet::decode(&wire)
}

#[test]
fn a_packet_is_read_and_written_octet_by_octet() {
    let read = Packet::decode(&WIRE).unwrap();
    let expected = Packet {
        diagnostic: Diagnostic::NEIGHBOR_SIGNALED_DOWN,
        state: State::Up,
        poll: true,
        control_plane_independent: true,
        detect_multiplier: 5,
        required_min_rx: 50_000,
        ..packet(State::Up)
    };
    assert_eq!(read, expected);
    assert_eq!(read.encode(), WIRE);
}

#[test]
fn every_flag_and_state_survives_the_wire() {
    for bits in 0..128_u16 {
        let flag = |bit: u16| bits & (1 << bit) != 0;
        let built = Packet {
            state: State::from_bits((bits & 0b11) as u8),
            poll: flag(2),
            final_answer: flag(3),
            control_plane_independent: flag(4),
            demand: flag(5),
            diagnostic: Diagnostic(if flag(6) { 31 } else { 8 }),
            required_min_echo_rx: u32::MAX,
            ..packet(State::Up)
        };
        assert_eq!(Packet::decode(&built.encode()), Ok(built));
    }
}

#[test]
fn another_version_is_discarded() {
    assert_eq!(with(0, 0x03), Err(PacketError::Version(0)));
    assert_eq!(with(0, 0x43), Err(PacketError::Version(2)));
}

#[test]
fn an_impossible_length_is_discarded() {
    for octets in 0..24 {
        assert_eq!(Packet::decode(&WIRE[..octets]), Err(PacketError::Truncated { octets }));
    }
    assert_eq!(with(3, 23), Err(PacketError::Length { length: 23, octets: 24 }));
    assert_eq!(with(3, 25), Err(PacketError::Length { length: 25, octets: 24 }));
    // With authentication it has at least two more octets.
    let mut authenticated = WIRE.to_vec();
    authenticated[1] |= 0x04;
    let error = PacketError::Length { length: 24, octets: 24 };
    assert_eq!(Packet::decode(&authenticated), Err(error));
    // Octets after the packet are ignored.
    assert!(Packet::decode(&[&WIRE[..], &[1, 2, 3]].concat()).is_ok());
}

#[test]
fn a_multiplier_of_zero_is_discarded() {
    assert_eq!(with(2, 0), Err(PacketError::DetectMultiplier));
}

#[test]
fn the_multipoint_bit_is_reserved() {
    assert_eq!(with(1, 0xe9), Err(PacketError::Multipoint));
}

#[test]
fn a_sender_without_a_discriminator_is_discarded() {
    assert_eq!(with(7, 0), Err(PacketError::MyDiscriminator));
}

#[test]
fn without_our_discriminator_only_the_two_down_states_are_accepted() {
    for state in State::ALL {
        let mut wire = WIRE;
        wire[1] = state.bits() << 6;
        wire[11] = 0;
        let expected = match state {
            State::AdminDown | State::Down => Ok(()),
            State::Init | State::Up => Err(PacketError::YourDiscriminator(state)),
        };
        assert_eq!(Packet::decode(&wire).map(drop), expected);
    }
}

#[test]
fn an_authenticated_packet_is_discarded() {
    let mut wire = WIRE.to_vec();
    wire[1] |= 0x04;
    wire[3] = 28;
    wire.extend([1, 4, 1, 0]);
    assert_eq!(Packet::decode(&wire), Err(PacketError::Authentication));
}

#[test]
fn no_octets_make_it_panic() {
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..100_000 {
        let length = random.usize(..40);
        let octets: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
        if let Ok(packet) = Packet::decode(&octets) {
            assert_eq!(Packet::decode(&packet.encode()), Ok(packet));
        }
    }
}
