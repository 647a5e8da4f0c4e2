/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The few kernel types that the programs read, with only the members they read.
 * CO-RE relocates every access against the running kernel's BTF, so members need
 * neither their real order nor their real offsets here.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define IPPROTO_TCP 6

#define S_IFMT 00170000
#define S_IFIFO 0010000
#define S_IFSOCK 0140000

#define EAGAIN 11
#define O_NONBLOCK 04000
#define MSG_PEEK 2
#define MSG_DONTWAIT 0x40
#define MSG_ERRQUEUE 0x2000

/* include/net/tcp_states.h */
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_SYN_RECV 3
#define TCP_CLOSE 7
#define TCP_CLOSE_WAIT 8
#define TCP_LISTEN 10

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	long long counter;
} atomic64_t;

typedef struct {
	int counter;
} atomic_t;

struct super_block {
	unsigned long s_magic;
};

struct inode {
	unsigned short i_mode;
	struct super_block *i_sb;
	unsigned long i_ino;
};

struct file {
	void *private_data;
	struct inode *f_inode;
	unsigned int f_flags;
	atomic64_t f_count; /* until 6.12 */
};

typedef struct {
	atomic64_t refcnt;
} file_ref_t;

struct file___6_13 {
	file_ref_t f_ref; /* include/linux/file_ref.h: the count less one */
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

/* One pointer, and so a name for each pointer of an array. */
struct hlist_head {
	struct hlist_node *first;
};

struct files_struct {
	struct fdtable *fdt;
};

struct signal_struct {
	atomic_t live;
};

struct thread_struct {
	unsigned long fsbase; /* x86 */
};

struct thread_info {
	unsigned long flags; /* arm64: TIF_32BIT */
	__u32 status;        /* x86: TS_COMPAT */
};

struct task_struct {
	struct thread_info thread_info;
	void *stack;
	int pid;
	int tgid;
	struct files_struct *files;
	struct signal_struct *signal;
	struct thread_struct thread;
};

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	unsigned long skc_flags;
};

struct sk_buff {
	struct sk_buff *next;
	unsigned int len;
	char cb[48];
};

struct sk_buff_head {
	struct sk_buff *next;
	__u32 qlen;
};

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_receive_queue;
	__u16 sk_type;
	__u16 sk_protocol;
	int sk_err;
	struct socket *sk_socket; /* NULL once it is closed */
};

struct socket {
	struct sock *sk;
	struct file *file;
};

struct sockaddr_un {
	char sun_path[108];
};

struct unix_address {
	int len;
	struct sockaddr_un name[];
};

struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
};

struct unix_skb_parms {
	__u32 consumed;
};

/* include/linux/uio.h */
enum iter_type {
	ITER_IOVEC,
	ITER_UBUF, /* 6.0 */
};

struct iov_iter {
	__u8 iter_type;
	unsigned long iov_offset;
	unsigned long count;
	unsigned long nr_segs;
	const void *__iov;
	void *ubuf; /* 6.0 */
};

struct iov_iter___5_13 {
	unsigned int type; /* ITER_IOVEC or another bit, and the direction */
};

struct iov_iter___6_3 {
	const void *iov;
};

struct msghdr {
	void *msg_name;
	struct iov_iter msg_iter;
};

struct io_cqe {
	int fd;
};

struct io_kiocb {
	__u8 opcode;
	unsigned int flags;
	struct io_cqe cqe; /* 6.0 */
};

struct tcp_sock {
	__u32 snd_nxt;
	__u32 snd_una;
	__u32 write_seq;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u64 bytes_acked;
	__u64 bytes_received;
};

/* include/trace/events/syscalls.h */
struct trace_event_raw_sys_enter {
	long id;
	unsigned long args[6];
};

struct trace_event_raw_sys_exit {
	long id;
	long ret;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long di, si, dx, cx, r10, r8, r9, r14;
	unsigned long ax, orig_ax, sp;
};
#else
struct pt_regs {
	__u64 regs[31];
	__u64 sp;
	__u64 orig_x0;
	__s32 syscallno;
};
#endif

#pragma clang attribute pop

/*
 * READ(type, pointer, field) reads a field of a kernel structure. Where the kernel
 * has bpf_rdonly_cast (6.2) it becomes one load, which the kernel guards; elsewhere
 * a call of bpf_probe_read_kernel. The verifier removes the other one.
 */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

#define CAST(type, pointer) \
	((struct type *)bpf_rdonly_cast((const void *)(pointer), bpf_core_type_id_kernel(struct type)))
#define READ(type, pointer, field) \
	(bpf_rdonly_cast ? CAST(type, pointer)->field : BPF_CORE_READ((struct type *)(pointer), field))

/* The calling task, to be read with READ. */
static __always_inline struct task_struct *caller_task(void)
{
	return (struct task_struct *)bpf_get_current_task();
}

/* What bpf_get_current_pid_tgid returns, without a call where two loads do it. */
static __always_inline __u64 caller_id(struct task_struct *task)
{
	if (!bpf_rdonly_cast)
		return bpf_get_current_pid_tgid();
	return (__u64)(__u32)CAST(task_struct, task)->tgid << 32 | (__u32)CAST(task_struct, task)->pid;
}

/* User-space layouts (uapi), read with bpf_probe_read_user. */
struct user_iovec {
	__u64 base;
	__u64 len;
};

/* A struct msghdr as far as it is read: control data and flags follow. */
struct user_msghdr {
	__u64 name;
	__u32 namelen;
	__u32 pad;
	__u64 iov;
	__u64 iovlen;
};

struct user_mmsghdr {
	struct user_msghdr hdr;
	__u64 control;
	__u64 controllen;
	__u32 flags;
	__u32 pad2;
	__u32 len;
	__u32 pad;
};
