package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Memory is the resident memory of a process in bytes.
func Memory(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/%d/statm has an unknown form", pid)
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// ticksPerSecond is the unit of CPU times in /proc; the kernel's interface
// fixes it whatever the machine's own timer does.
const ticksPerSecond = 100

// Fields of /proc/<pid>/stat, numbered as in birth_linux.go.
const (
	userTimeField   = 14 - firstField
	systemTimeField = 15 - firstField
)

// CPU is the processor time that a process has used since it began.
func CPU(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) <= systemTimeField {
		return 0, fmt.Errorf("/proc/%d/stat has an unknown form", pid)
	}
	var ticks int64
	for _, field := range [][]byte{fields[userTimeField], fields[systemTimeField]} {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}
