package capture

import (
	"fmt"

	"github.com/cilium/ebpf/btf"
)

// kernelTypes are what the running kernel says of its functions and structures.
type kernelTypes struct {
	cache *btf.Cache
	spec  *btf.Spec
}

func readKernelTypes() (kernelTypes, error) {
	cache := btf.NewCache()
	spec, err := cache.Kernel()
	if err != nil {
		return kernelTypes{}, fmt.Errorf("read the kernel's type information: %w", err)
	}
	return kernelTypes{cache, spec}, nil
}

// parameters returns how many a function has, 0 where the kernel has no such function.
func (k kernelTypes) parameters(function string) int {
	var f *btf.Func
	if k.spec.TypeByName(function, &f) != nil {
		return 0
	}
	proto, ok := f.Type.(*btf.FuncProto)
	if !ok {
		return 0
	}
	return len(proto.Params)
}

// submittedOperation returns which argument of the tracepoint io_uring_submit_sqe is the
// operation, counted from 0: the first that is one byte and no bool. It is the second
// until Linux 5.14, the third in 5.15 and what has its io_uring (5.10.162), then the
// fourth. -1 where there is none, as since 5.19: the first argument, struct io_kiocb,
// tells it.
func (k kernelTypes) submittedOperation() int {
	var t *btf.Typedef
	if k.spec.TypeByName("btf_trace_io_uring_submit_sqe", &t) != nil {
		return -1
	}
	pointer, ok := t.Type.(*btf.Pointer)
	if !ok {
		return -1
	}
	proto, ok := pointer.Target.(*btf.FuncProto)
	if !ok {
		return -1
	}
	for i, p := range proto.Params {
		if n, ok := btf.UnderlyingType(p.Type).(*btf.Int); ok && n.Size == 1 && n.Encoding != btf.Bool {
			return i - 1 // the first parameter is the tracepoint's own
		}
	}
	return -1
}

// allocatesInPrograms tells whether programs may add to maps that are not allocated in
// advance: since Linux 6.1 they have an allocator of their own (kernel/bpf/memalloc.c).
// Kernels before it warn, with a stack trace, when such a program is loaded.
func (k kernelTypes) allocatesInPrograms() bool {
	var allocator *btf.Struct
	return k.spec.TypeByName("bpf_mem_alloc", &allocator) == nil
}
