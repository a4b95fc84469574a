package process

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// marked finds the process that was started with a variable in its environment;
// 0 if there is none. What that process starts in turn inherits the variable,
// but does not lead a group.
func marked(variable string) (int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // another user's, or just ended
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return 0, err
		}
		for entry := range bytes.SplitSeq(text, []byte{0}) {
			if string(entry) != variable {
				continue
			}
			if group, err := syscall.Getpgid(pid); err == nil && group == pid {
				return pid, nil
			}
		}
	}
	return 0, nil
}
