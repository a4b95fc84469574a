package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Fields of /proc/<pid>/stat behind the command name, as proc(5) numbers them.
const (
	firstField     = 3
	stateField     = 3 - firstField
	threadsField   = 20 - firstField
	startTimeField = 22 - firstField
)

// birth identifies a running process for as long as it lives: its start in
// ticks since boot, and which boot that was. A process that has ended but was
// not collected is not running.
func birth(pid int) (string, error) {
	if pid <= 0 {
		return "", errors.New("no pid")
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// The command name stands in brackets and may itself hold brackets and
	// blanks: what follows the last one is safe to split.
	end := bytes.LastIndexByte(text, ')')
	fields := strings.Fields(string(text[end+1:]))
	if end < 0 || len(fields) <= startTimeField {
		return "", fmt.Errorf("/proc/%d/stat has an unknown form", pid)
	}
	// The first thread of a process can have ended before the others, which
	// then still hold its ports.
	ended := fields[stateField] == "X" || fields[stateField] == "Z" && (fields[threadsField] == "0" || fields[threadsField] == "1")
	if ended {
		return "", fmt.Errorf("process %d has ended", pid)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(boot)) + "/" + fields[startTimeField], nil
}
