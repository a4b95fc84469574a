package serve

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/chaincode/build"
)

// echo answers its argument; where it has channels, it says when it begins and waits until it may answer.
type echo struct{ begun, may chan struct{} }

func (echo) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

func (e echo) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	if e.may != nil {
		e.begun <- struct{}{}
		<-e.may
	}
	return shim.Success(stub.GetArgs()[0])
}

// certificate writes a self-signed certificate and its key as PEM files into a folder.
func certificate(t *testing.T, folder string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "chaincode"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	rawKey, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	cert, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: rawKey}), 0o600))
	return cert, key
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// output is a log that a test reads while it is written.
type output struct {
	mu sync.Mutex
	bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Buffer.Write(p)
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.String()
}

func (o *output) has(text string) bool { return strings.Contains(o.text(), text) }

// register connects to a chaincode server as a peer does, and answers the package id it registers with.
func register(t *testing.T, address, ca string, own ...tls.Certificate) (peer.Chaincode_ConnectClient, string, error) {
	t.Helper()
	raw, err := os.ReadFile(ca)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(raw))
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, ServerName: "localhost", Certificates: own})))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	stream, err := peer.NewChaincodeClient(conn).Connect(t.Context())
	if err != nil {
		return nil, "", err
	}
	hello, err := stream.Recv()
	if err != nil {
		return nil, "", err
	}
	var id peer.ChaincodeID
	require.Equal(t, peer.ChaincodeMessage_REGISTER, hello.GetType())
	require.NoError(t, proto.Unmarshal(hello.GetPayload(), &id))
	for _, kind := range []peer.ChaincodeMessage_Type{peer.ChaincodeMessage_REGISTERED, peer.ChaincodeMessage_READY} {
		require.NoError(t, stream.Send(&peer.ChaincodeMessage{Type: kind}))
	}
	return stream, id.GetName(), nil
}

func transact(t *testing.T, stream peer.Chaincode_ConnectClient, argument string) {
	t.Helper()
	input, err := proto.Marshal(&peer.ChaincodeInput{Args: [][]byte{[]byte(argument)}})
	require.NoError(t, err)
	require.NoError(t, stream.Send(&peer.ChaincodeMessage{Type: peer.ChaincodeMessage_TRANSACTION, Payload: input, Txid: "1", ChannelId: "government"}))
}

func answer(t *testing.T, stream peer.Chaincode_ConnectClient) string {
	t.Helper()
	message, err := stream.Recv()
	require.NoError(t, err)
	var response peer.Response
	require.NoError(t, proto.Unmarshal(message.GetPayload(), &response))
	return string(response.GetPayload())
}

func TestServesManyContractsAndStopsWhenTheyAreDone(t *testing.T) {
	cert, key := certificate(t, t.TempDir())
	config := Config{TLSCert: cert, TLSKey: key, Servers: []Server{
		{"quick", freeAddress(t), "quick_1:aa"}, {"slow", freeAddress(t), "slow_1:bb"},
	}}
	slow := echo{make(chan struct{}), make(chan struct{})}
	log := new(output)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, config, map[string]shim.Chaincode{"quick": echo{}, "slow": slow}, slog.New(slog.NewJSONHandler(log, nil)))
	}()
	require.Eventually(t, func() bool { return log.has("slow_1:bb") && log.has("quick_1:aa") }, 5*time.Second, time.Millisecond)

	quick, name, err := register(t, config.Servers[0].Address, cert)
	require.NoError(t, err)
	require.Equal(t, "quick_1:aa", name)
	transact(t, quick, "a secret argument")
	require.Equal(t, "a secret argument", answer(t, quick))

	waiting, name, err := register(t, config.Servers[1].Address, cert)
	require.NoError(t, err)
	require.Equal(t, "slow_1:bb", name)
	transact(t, waiting, "late")
	<-slow.begun
	cancel()
	require.Eventually(t, func() bool { return log.has("connection ended") }, 5*time.Second, time.Millisecond, "the idle connection ends at once")
	require.Equal(t, 1, strings.Count(log.text(), "connection ended"), "the other waits")
	close(slow.may)
	require.Equal(t, "late", answer(t, waiting), "a transaction being simulated is finished")
	require.NoError(t, <-done)
	require.Equal(t, 2, strings.Count(log.text(), `"abandoned":0`))
	require.False(t, log.has("secret"), "logs do not repeat requests")
	for _, line := range strings.Split(strings.TrimSpace(log.String()), "\n") {
		require.True(t, json.Valid([]byte(line)), line)
	}
}

func TestOnlyPeersOfTheNamedAuthorityConnect(t *testing.T) {
	cert, key := certificate(t, t.TempDir())
	config := Config{TLSCert: cert, TLSKey: key, TLSClientCA: cert, Servers: []Server{{"quick", freeAddress(t), "quick_1:aa"}}}
	log := new(output)
	go Run(t.Context(), config, map[string]shim.Chaincode{"quick": echo{}}, slog.New(slog.NewJSONHandler(log, nil)))
	require.Eventually(t, func() bool { return log.has("serving") }, 5*time.Second, time.Millisecond)
	_, _, err := register(t, config.Servers[0].Address, cert)
	require.Error(t, err, "no client certificate")
	strangerCert, strangerKey := certificate(t, t.TempDir())
	for _, c := range []struct {
		cert, key string
		welcome   bool
	}{{strangerCert, strangerKey, false}, {cert, key, true}} {
		own, err := tls.LoadX509KeyPair(c.cert, c.key)
		require.NoError(t, err)
		_, _, err = register(t, config.Servers[0].Address, cert, own)
		require.Equal(t, c.welcome, err == nil, "%v", err)
	}
}

func TestRunRefuses(t *testing.T) {
	cert, key := certificate(t, t.TempDir())
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer busy.Close()
	for name, c := range map[string]struct {
		config Config
		want   string
	}{
		"no certificate":   {Config{TLSCert: "nowhere.pem", TLSKey: key}, "tls_cert"},
		"unknown contract": {Config{TLSCert: cert, TLSKey: key, Servers: []Server{{"other", freeAddress(t), "o:1"}}}, `contract "other": this program has no such contract`},
		"busy port":        {Config{TLSCert: cert, TLSKey: key, Servers: []Server{{"quick", busy.Addr().String(), "q:1"}}}, "address already in use"},
		"bad client CA":    {Config{TLSCert: cert, TLSKey: key, TLSClientCA: key}, "tls_client_ca"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Run(t.Context(), c.config, map[string]shim.Chaincode{"quick": echo{}}, slog.New(slog.DiscardHandler))
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestReadConfig(t *testing.T) {
	const good = `{"servers":[{"contract":"exchange","address":"127.0.0.1:7052","ccid":"exchange_1:9f"}],"tls_cert":"c","tls_key":"k"}`
	for _, c := range []struct{ name, text, want string }{
		{"good", good, ""},
		{"unknown member", strings.Replace(good, `"tls_key"`, `"tls_keys"`, 1), "tls_keys: unknown_field"},
		{"other case", strings.Replace(good, `"tls_key"`, `"TLS_key"`, 1), "TLS_key"},
		{"wrong type", strings.Replace(good, `"127.0.0.1:7052"`, `7052`, 1), "address: type:string"},
		{"no JSON", "servers:", "json"},
		{"two documents", good + good, "single_document"},
		{"no servers", `{"servers":[],"tls_cert":"c","tls_key":"k"}`, "servers: list between 1 and 16"},
		{"no contract", strings.Replace(good, `"exchange"`, `""`, 1), "servers[0].contract"},
		{"no port", strings.Replace(good, `127.0.0.1:7052`, `127.0.0.1`, 1), "servers[0].address"},
		{"no package id", strings.Replace(good, `exchange_1:9f`, ``, 1), "servers[0].ccid"},
		{"no key", strings.Replace(good, `"k"`, `""`, 1), "tls_key"},
		{"no certificate", strings.Replace(good, `"c"`, `""`, 1), "tls_cert"},
		{"one address twice", strings.Replace(good, `}]`, `},{"contract":"certificate","address":"127.0.0.1:7052","ccid":"certificate_1:9f"}]`, 1), "servers[1]: has the address"},
		{"one package twice", strings.Replace(good, `}]`, `},{"contract":"certificate","address":"127.0.0.1:7053","ccid":"exchange_1:9f"}]`, 1), "servers[1]: has the ccid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.json")
			require.NoError(t, os.WriteFile(path, []byte(c.text), 0o600))
			config, err := ReadConfig(path)
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, "exchange", config.Servers[0].Contract)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, path)
		})
	}
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{[]string{"--version"}, exitOK, "chaincode " + build.Version(), ""},
		{nil, exitUsage, "", "give --config FILE"},
		{[]string{"--config", "nowhere.json"}, exitUsage, "", "nowhere.json"},
		{[]string{"--colour"}, exitUsage, "", "colour"},
	} {
		t.Run(fmt.Sprint(c.args), func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			require.Equal(t, c.code, Main("chaincode", c.args, &stdout, &stderr, nil))
			require.Contains(t, stdout.String(), c.stdout)
			require.Contains(t, stderr.String(), c.stderr)
		})
	}
}
