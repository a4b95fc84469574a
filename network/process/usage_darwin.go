package process

import (
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Memory is the resident memory of a process in bytes.
func Memory(pid int) (int64, error) {
	out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return 0, err
	}
	kilobytes, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	return kilobytes << 10, err
}

// CPU is the processor time that a process has used since it began.
func CPU(pid int) (time.Duration, error) {
	out, err := exec.Command("ps", "-o", "time=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return 0, err
	}
	// [hours:]minutes:seconds.hundredths
	var total float64
	for part := range strings.SplitSeq(strings.TrimSpace(string(out)), ":") {
		n, err := strconv.ParseFloat(part, 64)
		if err != nil {
			return 0, err
		}
		total = total*60 + n
	}
	return time.Duration(total * float64(time.Second)), nil
}
