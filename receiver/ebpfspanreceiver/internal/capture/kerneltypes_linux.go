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

// tracepointParameters returns how many a tracepoint's programs get, 0 where there is no
// such tracepoint.
func (k kernelTypes) tracepointParameters(name string) int {
	var t *btf.Typedef
	if k.spec.TypeByName("btf_trace_"+name, &t) != nil {
		return 0
	}
	pointer, ok := t.Type.(*btf.Pointer)
	if !ok {
		return 0
	}
	proto, ok := pointer.Target.(*btf.FuncProto)
	if !ok {
		return 0
	}
	return len(proto.Params) - 1 // the first is the tracepoint's own
}
