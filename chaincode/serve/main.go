package serve

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"github.com/hutong-gov/hutong/chaincode/build"
)

// What a server process takes of its machine. It keeps nothing from one transaction to the next, so its heap is a few
// megabytes: letting it grow to several times that costs little memory and saves most collections. It uses few threads.
// GOGC and GOMAXPROCS overrule.
const (
	gcPercent  = 400
	maxThreads = 4
)

// Exit codes of Main.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// Main is a server program: flags, configuration, signals. It returns the exit code.
func Main(name string, args []string, stdout, stderr io.Writer, chaincodes map[string]shim.Chaincode) int {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	path := flags.String("config", "", "configuration `file`, JSON")
	version := flags.Bool("version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	if *version {
		fmt.Fprintln(stdout, name, build.Version(), runtime.Version())
		return exitOK
	}
	if *path == "" || flags.NArg() > 0 {
		fmt.Fprintf(stderr, "%s: give --config FILE and nothing else\n", name)
		return exitUsage
	}
	config, err := ReadConfig(*path)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return exitUsage
	}
	tune()
	log := slog.New(slog.NewJSONHandler(stdout, nil)).With("program", name, "version", build.Version())
	slog.SetDefault(log)
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := Run(ctx, config, chaincodes, log); err != nil {
		log.Error("failed", "error", err.Error())
		return exitFailed
	}
	return exitOK
}

func tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) > maxThreads {
		runtime.GOMAXPROCS(maxThreads)
	}
}
