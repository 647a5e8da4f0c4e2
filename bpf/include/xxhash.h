/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* XXH64 of 16 bytes with seed 0: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md */
#pragma once

#include "kernel.h"

#define XXH_PRIME_1 0x9E3779B185EBCA87ULL
#define XXH_PRIME_2 0xC2B2AE3D27D4EB4FULL
#define XXH_PRIME_3 0x165667B19E3779F9ULL
#define XXH_PRIME_4 0x85EBCA77C2B2AE63ULL
#define XXH_PRIME_5 0x27D4EB2F165667C5ULL

static __always_inline __u64 xxh_rotate(__u64 x, __u32 bits)
{
	return x << bits | x >> (64 - bits);
}

static __always_inline __u64 xxh_round(__u64 hash, __u64 word)
{
	hash ^= xxh_rotate(word * XXH_PRIME_2, 31) * XXH_PRIME_1;
	return xxh_rotate(hash, 27) * XXH_PRIME_1 + XXH_PRIME_4;
}

static __always_inline __u64 xxh64_of_two(__u64 first, __u64 second)
{
	__u64 hash = XXH_PRIME_5 + 16;

	hash = xxh_round(hash, first);
	hash = xxh_round(hash, second);
	hash ^= hash >> 33;
	hash *= XXH_PRIME_2;
	hash ^= hash >> 29;
	hash *= XXH_PRIME_3;
	return hash ^ hash >> 32;
}
