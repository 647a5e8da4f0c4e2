//go:build ignore

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What processes send and receive over TCP and Unix sockets, seen at the kernel's own functions: the
 * same events as at the system calls (tcp.bpf.c), whatever led there. With FENTRY the
 * programs are trampolines, else kprobes. They run in the context of the process, but
 * for io_uring before 5.12, whose workers are threads of the kernel.
 */
#define FROM_MESSAGES

#include "messages_tcp.h"
#include "messages_udp.h"
#include "messages_unix.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
