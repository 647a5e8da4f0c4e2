/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Transfers that pass no system call of their own, and so are counted as unseen. */
#pragma once

#include "process.h"
#include "udp.h"

/* include/uapi/linux/io_uring.h, enum io_uring_op. */
enum io_uring_operation {
	OP_READV = 1,
	OP_WRITEV = 2,
	OP_READ_FIXED = 4,
	OP_WRITE_FIXED = 5,
	OP_SENDMSG = 9,
	OP_RECVMSG = 10,
	OP_READ = 22,
	OP_WRITE = 23,
	OP_SEND = 26,
	OP_RECV = 27,
	OP_SPLICE = 30,
	OP_SEND_ZC = 47,
	OP_SENDMSG_ZC = 48,
	OP_READ_MULTISHOT = 49,
	OP_RECV_ZC = 58,
};

#define REQ_F_FIXED_FILE (1 << 0) /* include/linux/io_uring_types.h */

/*
 * Which argument of the tracepoint is the operation; -1 where the request (struct
 * io_kiocb) is the first one. Set by the loader.
 */
const volatile __s32 io_uring_opcode_argument = -1;

static __always_inline int only_on_sockets(__u8 operation)
{
	switch (operation) {
	case OP_SENDMSG:
	case OP_RECVMSG:
	case OP_SEND:
	case OP_RECV:
	case OP_SEND_ZC:
	case OP_SENDMSG_ZC:
	case OP_RECV_ZC:
		return 1;
	}
	return 0;
}

static __always_inline int also_on_sockets(__u8 operation)
{
	switch (operation) {
	case OP_READV:
	case OP_WRITEV:
	case OP_READ_FIXED:
	case OP_WRITE_FIXED:
	case OP_READ:
	case OP_WRITE:
	case OP_SPLICE:
	case OP_READ_MULTISHOT:
		return 1;
	}
	return 0;
}

/*
 * Where the request's descriptor can be told, a transfer counts if it is a socket that is watched;
 * else (a registered file, or a kernel before 6.0), if its operation is one of sockets.
 */
static __always_inline int is_watched_transfer(struct io_kiocb *request, __u8 operation)
{
	__u64 socket;

	if (!only_on_sockets(operation) && !also_on_sockets(operation))
		return 0;
	if (!request || !bpf_core_field_exists(request->cqe) ||
	    BPF_CORE_READ(request, flags) & REQ_F_FIXED_FILE)
		return only_on_sockets(operation);
	struct sock *sk = sock_of(file_of(caller_task(), BPF_CORE_READ(request, cqe.fd)), &socket);
	return sk && (is_stream(sk) || is_udp(sk));
}

static __always_inline int io_uring_submitted(__u64 *ctx)
{
	struct io_kiocb *request = NULL;
	__u8 operation;

	if (!process_traced(process_find(bpf_get_current_pid_tgid() >> 32)))
		return 0;
	switch (io_uring_opcode_argument) {
	case 1:
		operation = ctx[1];
		break;
	case 2:
		operation = ctx[2];
		break;
	case 3:
		operation = ctx[3];
		break;
	default:
		request = (void *)ctx[0];
		operation = BPF_CORE_READ(request, opcode);
	}
	if (is_watched_transfer(request, operation))
		count_loss(LOSS_IO_URING_UNSEEN);
	return 0;
}
