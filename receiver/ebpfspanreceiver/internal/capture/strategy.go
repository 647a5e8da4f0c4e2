package capture

// The names of the ways to see what processes send and receive, best first.
const (
	// StrategyFentry attaches trampolines to the kernel's functions.
	StrategyFentry = "fentry"
	// StrategyKprobe attaches kprobes and kretprobes to the same functions.
	StrategyKprobe = "kprobe"
	// StrategyTracepoint attaches to the entry and exit of system calls.
	StrategyTracepoint = "tracepoint"
	// StrategyAuto takes the first of the others that works.
	StrategyAuto = "auto"
)

// Strategies are the values that KernelOptions.Strategy may have.
func Strategies() []string {
	return []string{StrategyAuto, StrategyFentry, StrategyKprobe, StrategyTracepoint}
}

// Verdict says what became of one program.
type Verdict struct {
	// Program is its name, Hook its section, which says where it belongs.
	Program, Hook string
	// Err is nil for a program that is attached.
	Err error
}

// String returns "attached", or "not supported" and why.
func (v Verdict) String() string {
	if v.Err == nil {
		return v.Hook + ": attached"
	}
	return v.Hook + ": not supported: " + v.Err.Error()
}
