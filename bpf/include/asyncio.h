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
#define PY_FUTURE_CALLBACKS 24 /* FutureObj.fut_callback0, fut_context0, fut_callbacks; of TaskObj too */
#define PY_TUPLE_SIZE 16     /* PyVarObject.ob_size */
#define PY_TUPLE_ITEMS 24    /* PyTupleObject.ob_item */
#define PY_LIST_SIZE 16      /* PyVarObject.ob_size */
#define PY_LIST_ITEMS 24     /* PyListObject.ob_item */
#define PY_CELL_OBJECT 16    /* PyCellObject.ob_ref */
#define PY_METHOD_SELF 24    /* PyMethodObject.im_self */
#define PY_PARTIAL_FUNCTION 16 /* partialobject.fn, args */

/*
 * The functions that are not static are verified on their own, whatever calls them: one look
 * at their loops is enough. They may take numbers only.
 */

/* How many callbacks, and how much of a callback's variables is looked at, and how far up tasks are followed. */
#define PY_CALLBACKS 3
#define PY_VARIABLES 6
#define PY_ATTRIBUTES 6
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

/* The task, of this type, that a callback wakes: it is that task's method "wakeup"; else 0. */
static __always_inline __u64 py_woken(__u64 callback, __u64 type, const struct process *p)
{
	__u64 task;

	if (!callback || py_read(callback + PY_TYPE) != p->wakeup_type)
		return 0;
	task = py_read(callback + p->wakeup_task_offset);
	return task && py_read(task + PY_TYPE) == type ? task : 0;
}

/* What a future calls back. */
struct py_callbacks {
	__u64 first, context;
	__u64 more; /* a list of tuples of a callback and its context */
};

/* One of the callbacks in the list. */
static __always_inline __u64 py_callback(__u64 list, __u64 i)
{
	if (i >= py_read(list + PY_LIST_SIZE))
		return 0;
	return py_read(py_read(py_read(list + PY_LIST_ITEMS) + i * 8) + PY_TUPLE_ITEMS);
}

/* The task that waits for a future, which may be any object. */
static __always_inline __u64 py_waits_for(__u64 future, __u64 type, const struct process *p)
{
	struct py_callbacks c;
	__u64 waiter;

	if (!future || bpf_probe_read_user(&c, sizeof(c), (void *)(future + PY_FUTURE_CALLBACKS)))
		return 0;
	waiter = py_woken(c.first, type, p);
	if (!waiter && c.more)
		waiter = py_woken(py_callback(c.more, 0), type, p);
	return waiter;
}

/*
 * The task that a callback's object has as an attribute: a TaskGroup calls a method of its
 * own back when a task ends, and knows who runs it. The attributes of objects that were
 * made as usual lie side by side.
 */
static __always_inline __u64 py_attribute(__u64 callback, __u64 type, const struct process *p)
{
	__u64 object = py_read(callback + PY_METHOD_SELF), values;

	if (!p->attributes)
		return 0;
	values = object + p->attributes;
	if (p->attributes < 0) {
		values = py_read(values);
		values += values & 1; /* tells it from a dict, in 3.12 */
	}
	for (int i = 0; i < PY_ATTRIBUTES; i++) {
		__u64 value = py_read(values + i * 8);

		if (value && py_read(value + PY_TYPE) == type)
			return value;
	}
	return 0;
}

/*
 * The task, of this type, that a callback leads to: it wakes that task, or is called back for gather,
 * wait or wait_for, and holds the future that they wait for. 0 where there is none.
 */
__noinline __u64 py_called_back(__u64 callback, __u64 type, __u32 pid)
{
	const struct process *p = process_find(pid);
	__u64 kind = py_read(callback + PY_TYPE), variables, count;
	int cells = 0;

	if (!p)
		return 0;
	if (kind == p->wakeup_type)
		return py_woken(callback, type, p);
	if (kind == p->method_type)
		return py_attribute(callback, type, p);
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
		__u64 object = py_read(variables + PY_TUPLE_ITEMS + i * 8), waiter;

		if (cells)
			object = py_read(object + PY_CELL_OBJECT);
		waiter = py_waits_for(object, type, p);
		if (waiter)
			return waiter;
	}
	return 0;
}

/* One of a task's callbacks, 0 where there are not so many. */
__noinline __u64 py_task_callback(__u64 task, __u32 i)
{
	struct py_callbacks c;

	if (bpf_probe_read_user(&c, sizeof(c), (void *)(task + PY_FUTURE_CALLBACKS)))
		return 0;
	if (i == 0)
		return c.first;
	return c.more ? py_callback(c.more, i - 1) : 0;
}

/* The task that runs, 0 where none does, and where several threads have loops of their own. */
__noinline __u64 py_running(__u32 pid)
{
	const struct process *p = process_find(pid);

	return p ? py_only_value(py_read(p->current_tasks), p->flags) : 0;
}

/* The task that waits for another one, of the same type: by await, or through a callback. */
static __always_inline __u64 py_waiter(__u64 task, __u64 type, __u32 pid)
{
	for (int i = 0; i < PY_CALLBACKS; i++) {
		__u64 callback = py_task_callback(task, i);
		__u64 waiter = callback ? py_called_back(callback, type, pid) : 0;

		if (waiter || !callback)
			return waiter;
	}
	return 0;
}

/*
 * The task that the thread runs, or the one that waits for it, or for that one: a task that
 * none waits for. The functions that it calls call none: the stack of all is 512 bytes.
 */
__noinline __u64 asyncio_task(__u32 pid)
{
	__u64 task = py_running(pid);
	__u64 type = task ? py_read(task + PY_TYPE) : 0;

	for (int i = 0; i < PY_TASKS && type; i++) {
		__u64 waiter = py_waiter(task, type, pid);

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
	e->goroutine = asyncio_task(e->pid);
	if (e->goroutine)
		e->flags |= EVENT_COROUTINE;
}
