/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The task of Python's asyncio that a thread runs, read from the thread's own memory. */
#pragma once

#include "event.h"
#include "process.h"

/*
 * Where CPython (3.8 to 3.13, 64 bits, with its lock) keeps things; the offsets are the same
 * in all of these versions unless struct process or process.flags has them.
 */
#define PY_TYPE 8            /* PyObject.ob_type */
#define PY_DICT_USED 16      /* PyDictObject.ma_used, ma_version_tag, ma_keys */
#define PY_FUTURE_CALLBACK 24 /* FutureObj.fut_callback0, of TaskObj too */
#define PY_CFUNCTION_SELF 24 /* PyCFunctionObject.m_self */
#define PY_TUPLE_SIZE 16     /* PyVarObject.ob_size */
#define PY_TUPLE_ITEMS 24    /* PyTupleObject.ob_item */
#define PY_CELL_OBJECT 16    /* PyCellObject.ob_ref */
#define PY_PARTIAL_FUNCTION 16 /* partialobject.fn, args */

/* How much of a callback's variables is looked at, and how far up tasks are followed. */
#define PY_VARIABLES 6
#define PY_TASKS 4

/* At most so many entries from the end of a dict are looked at: what left leaves a gap. */
#define PY_ENTRIES 4

static __always_inline __u64 py_read(__u64 address)
{
	__u64 value = 0;

	bpf_probe_read_user(&value, sizeof(value), (void *)address);
	return value;
}

/* The last value in a dict that has one entry, 0 otherwise. */
static __always_inline __u64 py_only_value(__u64 dict, __u32 flags)
{
	struct {
		__u64 used, version, keys;
	} d;
	struct {
		__u64 hash, key, value;
	} entry;
	__u64 entries, count;

	if (bpf_probe_read_user(&d, sizeof(d), (void *)(dict + PY_DICT_USED)) || d.used != 1)
		return 0;
	if (flags & PROCESS_OLD_DICTS) { /* dk_size, dk_nentries and dk_indices of 3.8 to 3.10 */
		__u64 size = py_read(d.keys + 8);

		count = py_read(d.keys + 32);
		entries = d.keys + 40 + (size <= 0xff ? size : size <= 0xffff ? 2 * size : 4 * size);
	} else { /* dk_log2_index_bytes, dk_nentries and dk_indices */
		__u8 log2_bytes = py_read(d.keys + 8) >> 8;

		count = py_read(d.keys + 24);
		entries = d.keys + 32 + (1ULL << (log2_bytes & 31));
	}
	for (int i = 1; i <= PY_ENTRIES && i <= count; i++) {
		if (bpf_probe_read_user(&entry, sizeof(entry), (void *)(entries + (count - i) * sizeof(entry))))
			return 0;
		if (entry.value)
			return entry.value;
	}
	return 0;
}

/* The task that a callback wakes: the method "wakeup" of a task, of this type; else 0. */
static __always_inline __u64 py_woken(__u64 callback, __u64 type, const struct process *p)
{
	__u64 task;

	if (!callback || py_read(callback + PY_TYPE) != p->cfunction_type)
		return 0;
	task = py_read(callback + PY_CFUNCTION_SELF);
	return task && py_read(task + PY_TYPE) == type ? task : 0;
}

/*
 * The task that waits for another one: by await, or through a future that the callback
 * holds, as gather, wait and wait_for do. 0 where none is found.
 */
static __always_inline __u64 py_waiter(__u64 task, __u64 type, const struct process *p)
{
	__u64 callback = py_read(task + PY_FUTURE_CALLBACK), waiter, kind, variables, count;
	int cells = 0;

	if (!callback)
		return 0;
	waiter = py_woken(callback, type, p);
	if (waiter)
		return waiter;
	kind = py_read(callback + PY_TYPE);
	if (kind == p->function_type) {
		variables = py_read(callback + p->closure_offset);
		cells = 1;
	} else if (py_read(py_read(callback + PY_PARTIAL_FUNCTION) + PY_TYPE) == p->function_type) {
		variables = py_read(callback + PY_PARTIAL_FUNCTION + 8);
	} else {
		return 0;
	}
	if (!variables || py_read(variables + PY_TYPE) != p->tuple_type)
		return 0;
	count = py_read(variables + PY_TUPLE_SIZE);
	for (int i = 0; i < PY_VARIABLES && i < count; i++) {
		__u64 object = py_read(variables + PY_TUPLE_ITEMS + i * 8);

		if (cells)
			object = py_read(object + PY_CELL_OBJECT);
		waiter = object ? py_woken(py_read(object + PY_FUTURE_CALLBACK), type, p) : 0;
		if (waiter)
			return waiter;
	}
	return 0;
}

/*
 * The task that the thread runs, or the one that waits for it, or for that one: a task that
 * none waits for. 0 where none runs, and where several threads have loops of their own.
 */
static __noinline __u64 asyncio_task(const struct process *p)
{
	__u64 task = py_only_value(py_read(p->current_tasks), p->flags);
	__u64 type = task ? py_read(task + PY_TYPE) : 0;

	for (int i = 0; i < PY_TASKS && type; i++) {
		__u64 waiter = py_waiter(task, type, p);

		if (!waiter)
			break;
		task = waiter;
	}
	return task;
}

static __always_inline void coroutine_read(struct event *e, const struct process *p)
{
	if (!p || !(p->flags & PROCESS_ASYNCIO))
		return;
	e->goroutine = asyncio_task(p);
	if (e->goroutine)
		e->flags |= EVENT_COROUTINE;
}
