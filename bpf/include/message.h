/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the arguments of the kernel's own functions to connections and buffers. */
#pragma once

#include "buffers.h"
#include "socket.h"

/* The inode number of a socket, 0 where no descriptor was ever open for it. */
static __always_inline __u64 number_of(struct socket *sock)
{
	struct file *file = sock ? READ(socket, sock, file) : NULL;
	struct inode *inode = file ? READ(file, file, f_inode) : NULL;

	return inode ? READ(inode, inode, i_ino) : 0;
}

/* Returns what is remembered of a connection, NULL where no process has it. */
static __always_inline struct connection *connection_at(struct sock *sk)
{
	struct socket *sock = sk ? READ(sock, sk, sk_socket) : NULL;
	__u64 socket = number_of(sock);

	return socket ? connection_named(sk, socket) : NULL;
}

/* Whether an iterator walks over a vector of the process's buffers. */
static __always_inline int is_vector(struct iov_iter *iter)
{
	struct iov_iter___5_13 *old = (void *)iter;

	/* Until 5.13 the kinds were bits, beside the direction. */
	if (bpf_core_field_exists(old->type))
		return (READ(iov_iter___5_13, old, type) & bpf_core_enum_value(enum iter_type, ITER_IOVEC)) != 0;
	return READ(iov_iter, iter, iter_type) == bpf_core_enum_value(enum iter_type, ITER_IOVEC);
}

static __always_inline int is_one_buffer(struct iov_iter *iter)
{
	return bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
	       READ(iov_iter, iter, iter_type) == bpf_core_enum_value(enum iter_type, ITER_UBUF);
}

/*
 * Addresses of the process are read as bytes: to the verifier what READ loads is a pointer of
 * the kernel from 7.x on, with which nobody may calculate.
 */
static __always_inline __u64 vector_at(struct iov_iter *iter)
{
	struct iov_iter___6_3 *old = (void *)iter;

	if (bpf_core_field_exists(old->iov))
		return (__u64)BPF_CORE_READ(old, iov);
	return (__u64)BPF_CORE_READ(iter, __iov);
}

/*
 * Where the bytes of a message lie that are still to be moved. Those in pages of the
 * kernel are at no address: one buffer that holds nowhere bytes.
 */
static __always_inline struct buffers buffers_of(struct msghdr *msg, __u32 nowhere)
{
	struct iov_iter *iter = (void *)msg + bpf_core_field_offset(struct msghdr, msg_iter);

	if (is_one_buffer(iter))
		return one_buffer((__u64)BPF_CORE_READ(iter, ubuf) + READ(iov_iter, iter, iov_offset),
				  READ(iov_iter, iter, count));
	if (!is_vector(iter))
		return one_buffer(0, nowhere);
	struct buffers b = vector(vector_at(iter), READ(iov_iter, iter, nr_segs));
	b.skip = READ(iov_iter, iter, iov_offset);
	return b;
}
