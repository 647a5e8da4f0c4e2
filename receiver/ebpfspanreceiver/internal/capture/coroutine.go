package capture

// CoroutineReader is a source that tells which task of Python's asyncio did something, for
// the processes that it is told of.
type CoroutineReader interface {
	// ReadCoroutines sets Task.Coroutine in the events of a traced process from now on. A
	// child inherits that at fork; exec ends it.
	ReadCoroutines(pid uint32, a *AsyncioRuntime) error
}

// AsyncioRuntime is where a process keeps what the running task is read from.
type AsyncioRuntime struct {
	// CurrentTasks is the address of the pointer to the dict of running tasks.
	CurrentTasks uint64
	// WakeupType is the address of the type of what wakes a task, and WakeupTask the
	// offset of the task in it.
	WakeupType uint64
	WakeupTask uint16
	// FunctionType, TupleType and MethodType are the addresses of PyFunction_Type,
	// PyTuple_Type and PyMethod_Type.
	FunctionType, TupleType, MethodType uint64
	// Attributes is where an object has the values of its attributes: in it, or where it is
	// negative a pointer to them before it; 0 where that is not known.
	Attributes int16
	// ClosureOffset is that of func_closure in PyFunctionObject.
	ClosureOffset uint16
	// OldDicts says that dicts are laid out as they were before Python 3.11.
	OldDicts bool
}
