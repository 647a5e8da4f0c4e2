package runtimes

import (
	"debug/elf"
	"io"
	"regexp"
)

const (
	// maxSearch bounds what is searched of a file's read-only data, in bytes.
	maxSearch = 64 << 20
	// searchStep is how much is searched at once, searchOverlap how much of that again
	// with the next.
	searchStep    = 256 << 10
	searchOverlap = 128
)

// releaseURL is in process.release: every Node.js knows where its sources are.
var releaseURL = regexp.MustCompile(`https://nodejs\.org/download/[a-z-]+/v(\d+\.\d+\.\d+)[/-]`)

// nodeVersion finds the version in the executable, or in the library of which
// distributions make it.
func nodeVersion(p process) string {
	if version := search(p.exe, releaseURL); version != "" {
		return version
	}
	library, err := p.open(p.library("libnode.so"))
	if err != nil {
		return ""
	}
	defer library.Close()
	return search(library, releaseURL)
}

// search finds the pattern's group in the read-only data of an ELF file.
func search(r io.ReaderAt, pattern *regexp.Regexp) string {
	f, err := elf.NewFile(r)
	if err != nil {
		return ""
	}
	section := f.Section(".rodata")
	if section == nil || section.Type != elf.SHT_PROGBITS {
		return ""
	}
	end := min(int64(section.FileSize), maxSearch)
	buffer := make([]byte, searchStep+searchOverlap)
	for at := int64(0); at < end; at += searchStep {
		n, err := r.ReadAt(buffer[:min(int64(len(buffer)), end-at)], int64(section.Offset)+at)
		if match := pattern.FindSubmatch(buffer[:n]); match != nil {
			return string(match[1])
		}
		if err != nil {
			return ""
		}
	}
	return ""
}
