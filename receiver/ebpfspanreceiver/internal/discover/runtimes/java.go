package runtimes

import (
	"bufio"
	"io"
	"path"
	"strings"
)

// maxRelease bounds what is read of a release file, in bytes.
const maxRelease = 64 << 10

// javaVersion reads java.runtime.version from the file "release" (JEP 223) in the
// runtime's home folder, in which bin lies.
func javaVersion(p process) string {
	file, err := p.open(path.Join(path.Dir(path.Dir(p.path)), "release"))
	if err != nil {
		return ""
	}
	defer file.Close()
	return releaseVersion(io.LimitReader(file, maxRelease))
}

func releaseVersion(r io.Reader) string {
	var short string
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), "=")
		value = strings.ToValidUTF8(strings.Trim(value, `" `), "\uFFFD")
		switch strings.TrimSpace(key) {
		case "JAVA_RUNTIME_VERSION":
			return value
		case "JAVA_VERSION":
			short = value
		}
	}
	return short
}
