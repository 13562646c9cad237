//! Tests of the driver's use of its sockets.

use std::{net::Ipv4Addr, sync::atomic::Ordering};

use super::*;

/// A driver that receives at this many local addresses, without any session.
fn listening(addresses: u8) -> Driver {
    let mut driver = Driver::default();
    for last in 1..=addresses {
        let local = (Ipv4Addr::new(127, 77, 0, last), 0).into();
        let receiver = Arc::new(Receiver::bind(local, None).unwrap());
        let address = ReceiverAddress { local, device: None };
        driver.readiness.watch(Arc::new(address.clone()), &receiver);
        driver.receivers.insert(address, receiver);
    }
    driver
}

impl Driver {
    fn queries(&self) -> usize {
        self.receivers.values().map(|receiver| receiver.queries.load(Ordering::Relaxed)).sum()
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_datagram_costs_the_same_however_many_local_addresses_there_are() {
    for addresses in [1, 200] {
        let requests = SessionRequests::default();
        let mut driver = listening(addresses);
        let receiver = driver.receivers.values().last().unwrap();
        let remote = receiver.local_addr().unwrap();
        let sender = Sender::connect(remote, None, None, 13).unwrap();

        for datagrams in 1..=5 {
            sender.send(&[0; 24]).unwrap();
            driver.wait(&requests).await;
            driver.receive_ready();
            driver.handle_deadlines();
            // The datagram, and the answer that there is no other.
            assert_eq!(driver.queries(), 2 * datagrams, "{addresses} addresses");
        }
    }
}
