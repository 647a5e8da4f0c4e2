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
	__u8 state = READ(sock, sk, __sk_common.skc_state);

	return !c->identified && (state == TCP_CLOSE || state == TCP_SYN_SENT);
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

static __always_inline int opening_end(__u32 room, __u64 id, struct call *call, __u64 moved)
{
	struct buffers b = call->buffers;
	__u64 key = call->sk;
	struct connection *c = bpf_map_lookup_elem(&connections, &key);
	struct scratch *s = scratch_get(room);

	if (!moved || !c || c->socket != call->socket || !s)
		return 0;
	int placed = identify_opening((struct sock *)key, c);

	turn_to(c, DIRECTION_SENT);
	event_begin(&s->event, EVENT_SEND, id, call_process(id, call));
	s->event.time = call->place; /* of the entry */
	event_connection(&s->event, c, send_place((struct sock *)key, c) - moved);
	s->event.identified = placed;
	addresses_read(&s->event, (struct sock *)key);
	s->event.size = moved;
	__u32 budget = turn_budget(c);
	__u32 payload = payload_head(room, &b, moved < budget ? moved : budget);
	c->captured += payload;
	if (payload < moved)
		payload_tail(room, &b, moved);
	scratch_send(s, payload);
	return 0;
}
