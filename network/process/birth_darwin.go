package process

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// birth identifies a running process for as long as it lives: the moment it
// began. A process that has ended but was not collected is not running.
func birth(pid int) (string, error) {
	if pid <= 0 {
		return "", errors.New("no pid")
	}
	out, err := exec.Command("ps", "-o", "stat=,lstart=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return "", fmt.Errorf("process %d has ended", pid)
	}
	state, began, ok := strings.Cut(strings.TrimSpace(string(out)), " ")
	if !ok || strings.HasPrefix(state, "Z") {
		return "", fmt.Errorf("process %d has ended", pid)
	}
	return strings.Join(strings.Fields(began), " "), nil
}
