// Package pyasyncio finds where a process keeps what tells which task of Python's asyncio
// runs: CPython 3.8 to 3.13, 64 bits, with its lock, where the module _asyncio is a shared
// library. It reads the process's files and memory and changes nothing.
package pyasyncio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
)

var (
	// ErrNotLoaded says that the process has not loaded _asyncio.
	ErrNotLoaded = errors.New("the process has not loaded Python's module _asyncio")
	// ErrUnsupported says that this version of Python is not known here.
	ErrUnsupported = errors.New("the layout of this version of Python is not known")
)

// module names the shared library: _asyncio.cpython-311-x86_64-linux-gnu.so.
var module = regexp.MustCompile(`/_asyncio\.cpython-3(\d+)-[\w-]+\.so$`)

const (
	// selfOffset is that of m_self in PyCFunctionObject, wrapperOffset that of ww_task in
	// TaskWakeupMethWrapper.
	selfOffset, wrapperOffset = 24, 16
)

// version is what differs between versions of Python, from their headers.
type version struct {
	oldDicts bool
	// wrapper says that tasks are woken by objects of a type of their own.
	wrapper bool
	// closure is the offset of func_closure in PyFunctionObject.
	closure uint16
	// attributes is where the values of an object's attributes are: a pointer to them before
	// it, or in Python 3.13 the values behind it; 0 before there were TaskGroups.
	attributes int16
	// mainInterpreter is the offset of interpreters.main in _PyRuntime, and modules that of
	// imports.modules in PyInterpreterState; 0 where the module's variables are static.
	mainInterpreter, modules uint64
}

var versions = map[int]version{
	8:  {oldDicts: true, wrapper: true, closure: 0x30},
	9:  {oldDicts: true, wrapper: true, closure: 0x30},
	10: {oldDicts: true, closure: 0x48},
	11: {closure: 0x48, attributes: -32},
	12: {closure: 0x48, attributes: -24, mainInterpreter: 0x30, modules: 0x3b0},
	13: {closure: 0x48, attributes: 24, mainInterpreter: 0x280, modules: 0x1de8},
}

// Find looks into the process whose folder in /proc is given.
func Find(folder string) (*capture.AsyncioRuntime, error) {
	maps, err := os.ReadFile(filepath.Join(folder, "maps"))
	if err != nil {
		return nil, fmt.Errorf("read the process's mappings: %w", err)
	}
	files := mappedFiles(maps)
	library := find(files, module)
	if library == nil {
		return nil, ErrNotLoaded
	}
	minor, err := strconv.Atoi(module.FindStringSubmatch(library.path)[1])
	if err != nil {
		return nil, ErrUnsupported
	}
	v, ok := versions[minor]
	if !ok {
		return nil, fmt.Errorf("%w: 3.%d", ErrUnsupported, minor)
	}
	memory, err := os.Open(filepath.Join(folder, "mem"))
	if err != nil {
		return nil, fmt.Errorf("open the process's memory: %w", err)
	}
	defer memory.Close()
	p := &program{root: filepath.Join(folder, "root"), files: files, memory: memory}
	return p.layout(library, v)
}

// program is a process that runs Python.
type program struct {
	root   string
	files  []mapped
	memory io.ReaderAt
	// types are the addresses of the symbols in wanted.
	types map[string]uint64
}

// wanted are the symbols that the interpreter exports and that are needed here.
var wanted = map[string]bool{
	"PyDict_Type": true, "PyCFunction_Type": true, "PyFunction_Type": true, "PyTuple_Type": true, "PyMethod_Type": true, "_PyRuntime": true,
}

func (p *program) layout(library *mapped, v version) (*capture.AsyncioRuntime, error) {
	if err := p.findTypes(); err != nil {
		return nil, err
	}
	current, err := p.currentTasks(library, v)
	if err != nil {
		return nil, fmt.Errorf("find the dict of running tasks: %w", err)
	}
	found := &capture.AsyncioRuntime{
		CurrentTasks:  current,
		WakeupType:    p.types["PyCFunction_Type"],
		WakeupTask:    selfOffset,
		FunctionType:  p.types["PyFunction_Type"],
		TupleType:     p.types["PyTuple_Type"],
		MethodType:    p.types["PyMethod_Type"],
		Attributes:    v.attributes,
		ClosureOffset: v.closure,
		OldDicts:      v.oldDicts,
	}
	if v.wrapper {
		found.WakeupTask = wrapperOffset
		if found.WakeupType, err = p.wakeupWrapper(library); err != nil {
			return nil, fmt.Errorf("find the type of what wakes tasks: %w", err)
		}
	}
	return found, nil
}

// interpreter names the files that may export the symbols: the executable, or a library.
var interpreter = regexp.MustCompile(`/(libpython3[\w.]*\.so[\d.]*|(python|pypy|uwsgi|gunicorn)[^/]*)$`)

func (p *program) findTypes() error {
	for i := range p.files {
		f := &p.files[i]
		if !interpreter.MatchString(f.path) {
			continue
		}
		found, err := f.symbols(p.root, wanted)
		if err != nil {
			return err
		}
		if len(found) == len(wanted) {
			p.types = found
			return nil
		}
	}
	return fmt.Errorf("%w: no interpreter that exports its types", ErrUnsupported)
}

func (p *program) currentTasks(library *mapped, v version) (uint64, error) {
	if v.modules != 0 {
		return p.stateTasks(v)
	}
	return p.staticTasks(library)
}

// staticTasks finds the variable current_tasks among the library's that are zero in its
// file: it is the one that points to a dict.
func (p *program) staticTasks(library *mapped) (uint64, error) {
	begin, size, err := library.zeroed(p.root)
	if err != nil {
		return 0, err
	}
	return p.dictAmong(begin, size)
}

// wakeupWrapper finds the type TaskWakeupMethWrapper among the library's variables, by its name.
func (p *program) wakeupWrapper(library *mapped) (uint64, error) {
	const name = "TaskWakeupMethWrapper\x00"
	begin, size, err := library.initialised(p.root)
	if err != nil {
		return 0, err
	}
	variables := make([]byte, min(size, maxVariables))
	if _, err := p.memory.ReadAt(variables, int64(begin)); err != nil {
		return 0, fmt.Errorf("read the module's variables: %w", err)
	}
	text := make([]byte, len(name))
	for at := nameOffset; at+8 <= len(variables); at += 8 {
		if _, err := p.memory.ReadAt(text, int64(word(variables[at:]))); err == nil && string(text) == name {
			return begin + uint64(at-nameOffset), nil
		}
	}
	return 0, fmt.Errorf("%w: no TaskWakeupMethWrapper", ErrUnsupported)
}

// maxVariables bounds what is read of a module's variables, in bytes.
const maxVariables = 64 << 10

func (p *program) dictAmong(begin, size uint64) (uint64, error) {
	variables := make([]byte, min(size, maxVariables))
	if _, err := p.memory.ReadAt(variables, int64(begin)); err != nil {
		return 0, fmt.Errorf("read the module's variables: %w", err)
	}
	var found uint64
	for at := 0; at+8 <= len(variables); at += 8 {
		object := word(variables[at:])
		if object == 0 || !p.isDict(object) {
			continue
		}
		if found != 0 {
			return 0, fmt.Errorf("%w: several dicts", ErrUnsupported)
		}
		found = begin + uint64(at)
	}
	if found == 0 {
		return 0, fmt.Errorf("%w: no dict", ErrUnsupported)
	}
	return found, nil
}

const (
	// typeOffset is that of ob_type in PyObject, stateOffset that of md_state in PyModuleObject.
	typeOffset, stateOffset = 8, 32
	// nameOffset is that of tp_name in PyTypeObject.
	nameOffset = 24
	// stateSize is how much of the module's state holds pointers to objects.
	stateSize = 176
)

func (p *program) isDict(object uint64) bool {
	kind, err := p.word(object + typeOffset)
	return err == nil && kind == p.types["PyDict_Type"]
}

// stateTasks finds current_tasks in the state of the module _asyncio.
func (p *program) stateTasks(v version) (uint64, error) {
	interpreter, err := p.word(p.types["_PyRuntime"] + v.mainInterpreter)
	if err != nil {
		return 0, err
	}
	modules, err := p.word(interpreter + v.modules)
	if err != nil {
		return 0, err
	}
	module, err := p.item(modules, "_asyncio")
	if err != nil {
		return 0, err
	}
	state, err := p.word(module + stateOffset)
	if err != nil {
		return 0, err
	}
	return p.dictAmong(state, stateSize)
}

const (
	// The layout of PyDictObject and PyDictKeysObject since Python 3.11.
	keysOffset    = 32
	keysHeader    = 32
	indexBytes    = 9
	kindOffset    = 10
	entriesOffset = 24
	// maxModules bounds the dict of modules, in entries.
	maxModules = 100_000
	// textOffset is where the characters of a PyASCIIObject are.
	textOffset = 40
)

// item returns the value of a dict for a key that is a text.
func (p *program) item(dict uint64, key string) (uint64, error) {
	keys, err := p.word(dict + keysOffset)
	if err != nil {
		return 0, err
	}
	header := make([]byte, keysHeader)
	if _, err := p.memory.ReadAt(header, int64(keys)); err != nil {
		return 0, fmt.Errorf("read a dict: %w", err)
	}
	// The entries of dicts with keys of all kinds have the hash before the key.
	size, at := uint64(24), uint64(8)
	if header[kindOffset] != 0 {
		size, at = 16, 0
	}
	count := min(word(header[entriesOffset:]), maxModules)
	entries := make([]byte, count*size)
	if _, err := p.memory.ReadAt(entries, int64(keys+keysHeader+1<<(header[indexBytes]&31))); err != nil {
		return 0, fmt.Errorf("read a dict: %w", err)
	}
	text := make([]byte, len(key)+1)
	for ; uint64(len(entries)) >= size; entries = entries[size:] {
		name, value := word(entries[at:]), word(entries[at+8:])
		if name == 0 || value == 0 {
			continue
		}
		if _, err := p.memory.ReadAt(text, int64(name+textOffset)); err == nil && bytes.Equal(text, append([]byte(key), 0)) {
			return value, nil
		}
	}
	return 0, ErrNotLoaded
}

func (p *program) word(address uint64) (uint64, error) {
	var b [8]byte
	if _, err := p.memory.ReadAt(b[:], int64(address)); err != nil {
		return 0, fmt.Errorf("read the process's memory: %w", err)
	}
	return word(b[:]), nil
}
