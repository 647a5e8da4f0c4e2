/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Entry and exit of kernel functions, by one of two ways: with FENTRY a trampoline
 * (5.5 on x86, 6.0 on arm64), else a kprobe and a kretprobe.
 *
 *	ENTRY(function)		the program's section
 *	EXIT(function)
 *	ARGUMENT(ctx, n)	at the entry, counted from 0
 *	RESULT(ctx, arguments)	at the exit; arguments is how many the function has
 */
#pragma once

#include "kernel.h"

#ifdef FENTRY

#define ENTRY(function) SEC("fentry/" #function)
#define EXIT(function) SEC("fexit/" #function)
#define ARGUMENT(ctx, n) ((ctx)[n])
#define RESULT(ctx, arguments) ((ctx)[arguments])
#define HOOK_CONTEXT __u64

#else

#define ENTRY(function) SEC("kprobe/" #function)
#define EXIT(function) SEC("kretprobe/" #function)
#define ARGUMENT(ctx, n) ARGUMENT_##n(ctx)
#if defined(__TARGET_ARCH_x86)
#define ARGUMENT_0(ctx) ((ctx)->di)
#define ARGUMENT_1(ctx) ((ctx)->si)
#define ARGUMENT_2(ctx) ((ctx)->dx)
#define ARGUMENT_3(ctx) ((ctx)->cx)
#define ARGUMENT_4(ctx) ((ctx)->r8)
#define RESULT(ctx, arguments) ((ctx)->ax)
#else
#define ARGUMENT_0(ctx) ((ctx)->regs[0])
#define ARGUMENT_1(ctx) ((ctx)->regs[1])
#define ARGUMENT_2(ctx) ((ctx)->regs[2])
#define ARGUMENT_3(ctx) ((ctx)->regs[3])
#define ARGUMENT_4(ctx) ((ctx)->regs[4])
#define RESULT(ctx, arguments) ((ctx)->regs[0])
#endif
/* No typedef: CO-RE looks for the kernel's type by this name. */
#define HOOK_CONTEXT struct pt_regs

#endif
