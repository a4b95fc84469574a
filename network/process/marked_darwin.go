package process

import (
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// marked finds the process that was started with a variable in its environment;
// 0 if there is none. What that process starts in turn inherits the variable,
// but does not lead a group.
func marked(variable string) (int, error) {
	// -E shows the environment behind the command, for processes of one's own.
	out, err := exec.Command("ps", "-xEww", "-o", "pid=,pgid=,command=").Output()
	if err != nil {
		return 0, fmt.Errorf("ps: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[0] != fields[1] || !slices.Contains(fields[2:], variable) {
			continue
		}
		return strconv.Atoi(fields[0])
	}
	return 0, nil
}
