//! Connections from addresses that no peer has, over TCP on loopback addresses.

use std::net::Ipv4Addr;

use tokio::{io::AsyncReadExt, net::TcpSocket, task::JoinSet};

use crate::world::{
    both_up, node, prefixes, router, routes, soon, table, towards_node, towards_router,
};

const STRANGERS: u32 = 10_000;

#[tokio::test]
async fn ten_thousand_strangers_are_closed_and_disturb_no_session() {
    let router = router("127.0.70.1:0").await;
    let address = router.listen_addr().unwrap();
    let mut at_router = router.add_peer(towards_node("127.0.0.70")).await.unwrap();
    let node = node().await;
    let mut at_node = node.add_peer(towards_router(address, "127.0.0.70")).await.unwrap();
    both_up(&mut at_router, &mut at_node).await;

    let stranger = |n: u32| async move {
        let socket = TcpSocket::new_v4().unwrap();
        // Ports are bound when the connection is made, so that addresses may share them.
        let from = Ipv4Addr::from(0x7f46_0002 + n % 251);
        socket.bind((from, 0).into()).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        // It is closed, with or without a reset, before any message.
        assert!(stream.read_u8().await.is_err());
    };
    soon("all strangers are closed", async {
        let mut waiting = JoinSet::new();
        for n in 0..STRANGERS {
            if waiting.len() >= 64 {
                waiting.join_next().await.unwrap().unwrap();
            }
            waiting.spawn(stranger(n));
        }
        while let Some(ended) = waiting.join_next().await {
            ended.unwrap();
        }
    })
    .await;
    assert_eq!(router.strangers(), u64::from(STRANGERS));
    at_node.set_routes(routes(&["172.22.35.70/32"])).await.unwrap();
    let held = table(&router, "a route", |table| table.len() == 1).await;
    assert_eq!(prefixes(&held), ["172.22.35.70/32"]);
    for peer in [at_router, at_node] {
        assert_eq!(peer.stats().sessions_lost, 0);
    }
}
