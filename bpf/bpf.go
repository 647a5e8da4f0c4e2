// Package bpf embeds the compiled kernel side. The C sources lie beside it, one
// file per concern; `make generate` rebuilds the objects and the Go bindings.
package bpf

//go:generate go tool -modfile ../internal/tools/go.mod bpf2go -cc clang-16 -strip llvm-strip-16 -target amd64,arm64 -go-package bpf -type event -type process -type call TCP tcp.bpf.c -- -O2 -mcpu=v3 -Wall -Werror -Iinclude -I/usr/include/x86_64-linux-gnu
//go:generate go tool -modfile ../internal/tools/go.mod bpf2go -cc clang-16 -strip llvm-strip-16 -target amd64,arm64 -go-package bpf Fentry messages.bpf.c -- -DFENTRY -O2 -mcpu=v3 -Wall -Werror -Iinclude -I/usr/include/x86_64-linux-gnu
//go:generate go tool -modfile ../internal/tools/go.mod bpf2go -cc clang-16 -strip llvm-strip-16 -target amd64,arm64 -go-package bpf Kprobe messages.bpf.c -- -O2 -mcpu=v3 -Wall -Werror -Iinclude -I/usr/include/x86_64-linux-gnu
//go:generate go tool -modfile ../internal/tools/go.mod bpf2go -cc clang-16 -strip llvm-strip-16 -target amd64,arm64 -go-package bpf Process process.bpf.c -- -O2 -mcpu=v3 -Wall -Werror -Iinclude -I/usr/include/x86_64-linux-gnu
//go:generate go tool -modfile ../internal/tools/go.mod bpf2go -cc clang-16 -strip llvm-strip-16 -target amd64,arm64 -go-package bpf GoHTTP gohttp.bpf.c -- -O2 -mcpu=v3 -Wall -Werror -Iinclude -I/usr/include/x86_64-linux-gnu
//go:generate go tool -modfile ../internal/tools/go.mod bpf2go -cc clang-16 -strip llvm-strip-16 -target amd64,arm64 -go-package bpf GoStreams gostreams.bpf.c -- -O2 -mcpu=v3 -Wall -Werror -Iinclude -I/usr/include/x86_64-linux-gnu
//go:generate go tool -modfile ../internal/tools/go.mod bpf2go -cc clang-16 -strip llvm-strip-16 -target amd64,arm64 -go-package bpf Listen listen.bpf.c -- -O2 -mcpu=v3 -Wall -Werror -Iinclude -I/usr/include/x86_64-linux-gnu
//go:generate go tool -modfile ../internal/tools/go.mod bpf2go -cc clang-16 -strip llvm-strip-16 -target amd64,arm64 -go-package bpf -type wake Wake wake.bpf.c -- -O2 -mcpu=v3 -Wall -Werror -Iinclude -I/usr/include/x86_64-linux-gnu
