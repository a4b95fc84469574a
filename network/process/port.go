package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/hutong-gov/hutong/network/topology"
)

// portProbe bounds the attempt to reach somebody at a port; on loopback the
// answer, either way, is immediate.
const portProbe = 500 * time.Millisecond

// freeTimeout is how long a port may stay taken after its process has ended.
const freeTimeout = 5 * time.Second

// CheckPorts makes sure that nobody holds a port of these processes, and says
// for each that is held by whom, where the system tells, and what to do.
func CheckPorts(specs []Spec) error {
	var errs []error
	for _, spec := range specs {
		for _, port := range spec.Ports {
			if !Busy(port.Number) {
				continue
			}
			holder := "another process"
			if pid, name := owner(port.Number); pid > 0 {
				holder = fmt.Sprintf("process %d (%s)", pid, name)
			}
			errs = append(errs, fmt.Errorf("port %d, which %s needs for its %s, is held by %s: stop that process, or use other ports with --base-port",
				port.Number, spec.Name, port.Purpose, holder))
		}
	}
	return errors.Join(errs...)
}

// awaitFree waits until nobody listens at a port any more. A system may take a
// moment to close what an ended process had open.
func awaitFree(ctx context.Context, port int) error {
	ctx, cancel := context.WithTimeout(ctx, freeTimeout)
	defer cancel()
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for Busy(port) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("port %d is still listened at: %w", port, ctx.Err())
		case <-ticker.C:
		}
	}
	return nil
}

// Busy says whether somebody listens at a loopback port or bars us from it.
func Busy(port int) bool {
	address := topology.Address(port)
	// Listening is not proof enough: some systems let a listener on one
	// address in beside a listener on all addresses.
	if conn, err := net.DialTimeout("tcp", address, portProbe); err == nil {
		conn.Close()
		return true
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return true
	}
	listener.Close()
	return false
}
