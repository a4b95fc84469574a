package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrLocked means that another launcher works on the same state folder.
var ErrLocked = errors.New("the network is being changed by another launcher")

// Lock makes its holder the only launcher on a state folder. The system takes
// the lock back when the holder ends, however it ends.
func Lock(state string) (release func(), err error) {
	if err := os.MkdirAll(state, folderMode); err != nil {
		return nil, err
	}
	name := filepath.Join(state, "lock")
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, recordMode)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer file.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		holder := make([]byte, 20)
		n, _ := file.Read(holder)
		return nil, fmt.Errorf("%w (pid %s) on %s: wait until it has finished", ErrLocked, strings.TrimSpace(string(holder[:n])), state)
	}
	// Who holds it is told for the error message above only; the lock itself
	// is the system's.
	if err := file.Truncate(0); err == nil {
		_, _ = fmt.Fprintf(file, "%d\n", os.Getpid())
	}
	return func() { file.Close() }, nil
}
