// Package serve runs chaincodes as services: one process, one gRPC server with TLS for each chaincode, to which an
// organisation's peer connects. The process keeps nothing: it may be killed and started again at any time, and a peer
// reconnects by itself.
//
// Logs are JSON lines. They say what the process does (listens, is connected to, stops), never what a transaction says.
package serve

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

// Limits and times of a server, those of Fabric's own chaincode server where it has them.
const (
	maxMessageBytes   = 100 << 20
	connectionTimeout = 5 * time.Second
	keepaliveTime     = time.Minute
	keepaliveTimeout  = 20 * time.Second
	drainTime         = 3 * time.Second // how long a stop waits for transactions being simulated
	drainPoll         = 5 * time.Millisecond
)

// Run serves until ctx ends, then stops: no new connections, transactions being simulated finish, connections close.
// chaincodes are those the program has, by name. Every port is open when the last "serving" line is logged.
func Run(ctx context.Context, config Config, chaincodes map[string]shim.Chaincode, log *slog.Logger) error {
	creds, err := loadTLS(config)
	if err != nil {
		return err
	}
	var servers []*server
	for _, s := range config.Servers {
		cc, known := chaincodes[s.Contract]
		if !known {
			err = fmt.Errorf("contract %q: this program has no such contract", s.Contract)
			break
		}
		one, listenErr := listen(s, cc, creds, log)
		if listenErr != nil {
			err = listenErr
			break
		}
		servers = append(servers, one)
	}
	if err != nil {
		for _, s := range servers {
			s.listener.Close()
		}
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range servers {
		group.Go(s.serve)
		group.Go(func() error {
			<-ctx.Done()
			s.stop()
			return nil
		})
	}
	return group.Wait()
}

// server is one chaincode on one port.
type server struct {
	Server
	listener net.Listener
	grpc     *grpc.Server
	stopping chan struct{}
	log      *slog.Logger
}

func listen(s Server, cc shim.Chaincode, creds credentials.TransportCredentials, log *slog.Logger) (*server, error) {
	listener, err := net.Listen("tcp", s.Address)
	if err != nil {
		return nil, fmt.Errorf("contract %s: %w", s.Contract, err)
	}
	one := &server{Server: s, listener: listener, stopping: make(chan struct{}), log: log.With("contract", s.Contract)}
	one.grpc = grpc.NewServer(
		grpc.Creds(creds),
		grpc.MaxRecvMsgSize(maxMessageBytes),
		grpc.MaxSendMsgSize(maxMessageBytes),
		grpc.ConnectionTimeout(connectionTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveTime, PermitWithoutStream: true}),
	)
	peer.RegisterChaincodeServer(one.grpc, &connection{
		ChaincodeServer: shim.ChaincodeServer{CCID: s.CCID, CC: cc}, stopping: one.stopping, log: one.log,
	})
	return one, nil
}

func (s *server) serve() error {
	s.log.Info("serving", "address", s.listener.Addr().String(), "ccid", s.CCID)
	if err := s.grpc.Serve(s.listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("contract %s: serve: %w", s.Contract, err)
	}
	return nil
}

// stop lets each connection end after the transactions it is simulating, and cuts those that take too long.
func (s *server) stop() {
	close(s.stopping)
	cut := time.AfterFunc(2*drainTime, s.grpc.Stop)
	defer cut.Stop()
	s.grpc.GracefulStop()
	s.log.Info("stopped")
}

func loadTLS(config Config) (credentials.TransportCredentials, error) {
	pair, err := tls.LoadX509KeyPair(config.TLSCert, config.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("tls_cert, tls_key: %w", err)
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if config.TLSClientCA != "" {
		raw, err := os.ReadFile(config.TLSClientCA)
		if err != nil {
			return nil, fmt.Errorf("tls_client_ca: %w", err)
		}
		settings.ClientCAs = x509.NewCertPool()
		if !settings.ClientCAs.AppendCertsFromPEM(raw) {
			return nil, errors.New("tls_client_ca: the file has no certificate in PEM form")
		}
		settings.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return credentials.NewTLS(settings), nil
}
