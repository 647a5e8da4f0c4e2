/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sends that open their connection: TCP Fast Open, by MSG_FASTOPEN or TCP_FASTOPEN_CONNECT,
 * or a send that waits for connect to end. Its sequence numbers are chosen inside of the
 * call, so such a send is reported at its exit, with the time of its entry.
 */
#pragma once

#include "call.h"

static __always_inline int send_opens(struct sock *sk, const struct connection *c)
{
	__u8 state;

	if (c->identified)
		return 0;
	state = READ(sock, sk, __sk_common.skc_state);
	return state == TCP_CLOSE || state == TCP_SYN_SENT;
}

/*
 * Before the peer answered only our own first number is known, which follows the SYN's.
 * That much names the bytes' place; the rest comes with the next event.
 */
static __always_inline int identify_opening(struct sock *sk, struct connection *c)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;

	identify(sk, c);
	if (c->identified)
		return 1;
	if (READ(sock, sk, __sk_common.skc_state) != TCP_SYN_SENT)
		return 0;
	c->first_sent = READ(tcp_sock, tp, snd_una) + 1;
	c->first_received = 0;
	return 1;
}

/* Readies what is known of such a send once it has moved bytes, and its event; returns the payload bytes wanted. */
static __always_inline __u32 opening_end(struct call *call, struct connection *c, struct event *e, __u64 moved)
{
	struct sock *sk = (struct sock *)call->sk;
	int placed = identify_opening(sk, c);
	__u32 budget;

	turn_to(c, DIRECTION_SENT);
	e->kind = EVENT_SEND;
	e->time = call->place; /* of the entry */
	event_connection(e, c, send_place(sk, c) - moved);
	e->identified = placed;
	addresses_read(e, sk);
	budget = turn_budget(c);
	return moved < budget ? moved : budget;
}
