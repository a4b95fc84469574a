package serve

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc/codes"
	grpcpeer "google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// connection talks with one peer after the other. A peer never ends a connection by itself: when the server stops, the
// connection ends as soon as the peer has the answers to what it asked.
type connection struct {
	shim.ChaincodeServer
	stopping <-chan struct{}
	log      *slog.Logger
}

// Connect implements peer.ChaincodeServer.
func (c *connection) Connect(stream peer.Chaincode_ConnectServer) error {
	log := c.log
	if p, ok := grpcpeer.FromContext(stream.Context()); ok {
		log = log.With("from", p.Addr.String())
	}
	log.Info("peer connected")
	counted := &counted{Chaincode_ConnectServer: stream}
	done := make(chan error, 1)
	go func() { done <- c.ChaincodeServer.Connect(counted) }()
	select {
	case err := <-done:
		log.Info("peer disconnected")
		return err
	case <-c.stopping:
	}
	for end := time.Now().Add(drainTime); counted.running.Load() > 0 && time.Now().Before(end); {
		time.Sleep(drainPoll)
	}
	log.Info("connection ended", "abandoned", counted.running.Load())
	return status.Error(codes.Unavailable, "the chaincode server stops")
}

// counted counts the transactions that came in and are not answered.
type counted struct {
	peer.Chaincode_ConnectServer
	running atomic.Int64
}

func (c *counted) Recv() (*peer.ChaincodeMessage, error) {
	message, err := c.Chaincode_ConnectServer.Recv()
	switch message.GetType() {
	case peer.ChaincodeMessage_TRANSACTION, peer.ChaincodeMessage_INIT:
		c.running.Add(1)
	}
	return message, err
}

func (c *counted) Send(message *peer.ChaincodeMessage) error {
	err := c.Chaincode_ConnectServer.Send(message)
	switch message.GetType() {
	case peer.ChaincodeMessage_COMPLETED, peer.ChaincodeMessage_ERROR:
		c.running.Add(-1)
	}
	return err
}
