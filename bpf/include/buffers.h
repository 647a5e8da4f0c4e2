/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where a system call's bytes lie in the process's memory. */
#pragma once

#include "kernel.h"

/* Of longer vectors only the first pieces are looked at; sizes stay right. */
#define IOV_MAX_READ 16
/* How many are, of what is sent: heads are written in many small ones. */
#define IOV_MAX_SENT 48

/* One buffer (count 0), or count iovecs at addr. */
struct buffers {
	__u64 addr;
	__u64 len; /* of the one buffer */
	__u32 count;
	__u32 skip; /* bytes of the first iovec that were moved before */
};

/*
 * Vectors that the kernel copied lie in the upper half of the addresses, where no
 * process has any (Documentation/arch/x86/x86_64/mm.rst, Documentation/arch/arm64/memory.rst).
 */
static __always_inline int in_kernel(__u64 addr)
{
	return (__s64)addr < 0;
}

static __always_inline long read_iovecs(struct user_iovec *to, __u32 size, __u64 addr)
{
#ifdef FROM_MESSAGES
	if (in_kernel(addr))
		return bpf_probe_read_kernel(to, size, (void *)addr);
#endif
	return bpf_probe_read_user(to, size, (void *)addr);
}

/* Leaves out of a vector's first piece what was moved before. */
static __always_inline void buffer_skip(const struct buffers *b, struct user_iovec *first)
{
#ifdef FROM_MESSAGES
	if (!in_kernel(b->addr))
		return;
	__u64 skip = b->skip < first->len ? b->skip : first->len;

	first->base += skip;
	first->len -= skip;
#endif
}

static __always_inline int buffer_at(const struct buffers *b, __u32 i, struct user_iovec *out)
{
	if (b->count == 0) {
		out->base = b->addr;
		out->len = b->len;
		return i == 0;
	}
	if (i >= b->count || read_iovecs(out, sizeof(*out), b->addr + i * sizeof(*out)))
		return 0;
	if (i == 0)
		buffer_skip(b, out);
	return 1;
}

static __always_inline struct buffers one_buffer(__u64 addr, __u64 len)
{
	struct buffers b = {.addr = addr, .len = len};

	return b;
}

static __always_inline struct buffers vector(__u64 iov, __u64 count)
{
	struct buffers b = {.addr = iov, .count = count};

	/* A count of 0 would mean one buffer: an empty one is meant. */
	if (count == 0)
		b.addr = 0;
	return b;
}

/* Works for struct mmsghdr as well: it begins with a msghdr. */
static __always_inline struct buffers message(__u64 addr)
{
	struct user_msghdr m = {};

	bpf_probe_read_user(&m, sizeof(m), (void *)addr);
	return vector(m.iov, m.iovlen);
}
