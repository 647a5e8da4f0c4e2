/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a net.Conn of Go's to the socket behind it. */
#pragma once

#include "socket.h"

/* Offset of Sysfd in internal/poll.FD, after a fdMutex of one uint64 and two uint32. */
#define SYSFD_OFFSET 16

/* How many net.Conn may be wrapped around the socket's. */
#define CONN_WRAPPERS 3

/*
 * The inode number of the stream socket behind the net.Conn at an address, 0 where there is none. The interface's data word is a
 * *net.TCPConn or *net.UnixConn, its first word a *net.netFD, which begins with a poll.FD; or it is something
 * that begins with another net.Conn.
 */
static __always_inline __u64 go_conn_socket(__u64 iface)
{
	__u64 conn = 0, net_fd = 0, sysfd = 0, socket = 0;

#pragma unroll
	for (int i = 0; i < CONN_WRAPPERS; i++) {
		if (bpf_probe_read_user(&conn, sizeof(conn), (void *)(iface + 8)) ||
		    bpf_probe_read_user(&net_fd, sizeof(net_fd), (void *)conn))
			return 0;
		if (!bpf_probe_read_user(&sysfd, sizeof(sysfd), (void *)(net_fd + SYSFD_OFFSET)) && sysfd <= 0x7fffffff &&
		    stream_sock_of(file_of(caller_task(), sysfd), &socket))
			return socket;
		iface = conn;
	}
	return 0;
}
