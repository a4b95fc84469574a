package deploy_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hyperledger/fabric-admin-sdk/pkg/chaincode"
	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/deploy"
	"github.com/hutong-gov/hutong/network/material"
	"github.com/hutong-gov/hutong/network/topology"
)

// layout is a state folder with a TLS root for every organisation.
func layout(t *testing.T, top *topology.Topology) material.Layout {
	t.Helper()
	l := material.At(t.TempDir())
	for _, org := range top.Organisations {
		file := l.Public(org).TLSRoot()
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, []byte("-----BEGIN CERTIFICATE-----\n"+org.MSP+"\n"), 0o600))
	}
	return l
}

func unpack(t *testing.T, archive []byte) (names []string, content map[string][]byte) {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(archive))
	require.NoError(t, err)
	require.True(t, zip.ModTime.IsZero())
	content = map[string][]byte{}
	pack := tar.NewReader(zip)
	for {
		header, err := pack.Next()
		if err == io.EOF {
			return names, content
		}
		require.NoError(t, err)
		require.Equal(t, time.Unix(0, 0), header.ModTime)
		require.Zero(t, header.Uid)
		require.Empty(t, header.Uname)
		names = append(names, header.Name)
		content[header.Name], err = io.ReadAll(pack)
		require.NoError(t, err)
	}
}

// TestPackageIsTheSameEverywhere: the same manifest and roots give the same
// id, in another folder and at another time. The id is written down here so
// that a change of toolchain that changes it does not pass unseen: every
// deployed network would have to approve its chaincodes anew.
func TestPackageIsTheSameEverywhere(t *testing.T) {
	const id = "exchange_1:c45b49cb9999bb1af4aff7857c9e2cd045ecf77561c9eb23087c0c0029b5bfc4"
	top := network.DefaultTopology()
	for range 2 {
		pkg, err := deploy.NewPackage(top, layout(t, top), top.Organisations[0], 0)
		require.NoError(t, err)
		require.Equal(t, id, pkg.ID)
	}
}

func TestPackageContent(t *testing.T) {
	top := network.DefaultTopology()
	pkg, err := deploy.NewPackage(top, layout(t, top), top.Organisations[1], 2)
	require.NoError(t, err)
	names, content := unpack(t, pkg.Bytes)
	require.Equal(t, []string{"metadata.json", "code.tar.gz"}, names)
	require.JSONEq(t, `{"type":"ccaas","label":"certificate_1"}`, string(content["metadata.json"]))
	// The external builder looks for this very spelling.
	require.Contains(t, string(content["metadata.json"]), `"type":"ccaas"`)
	names, content = unpack(t, content["code.tar.gz"])
	require.Equal(t, []string{"connection.json"}, names)
	var connection map[string]any
	require.NoError(t, json.Unmarshal(content["connection.json"], &connection))
	require.Equal(t, "127.0.0.1:17082", connection["address"])
	require.Equal(t, true, connection["tls_required"])
	require.Equal(t, false, connection["client_auth_required"])
	require.Contains(t, connection["root_cert"], "PlanningMSP")

	id, err := chaincode.PackageID(bytes.NewReader(pkg.Bytes))
	require.NoError(t, err)
	require.Equal(t, pkg.ID, id)
}

// TestNoTwoPackagesShareAnID: chaincodes that call each other must not, and
// organisations have servers of their own.
func TestNoTwoPackagesShareAnID(t *testing.T) {
	top := network.DefaultTopology()
	l := layout(t, top)
	seen := map[string]bool{}
	for _, org := range top.Organisations {
		for i := range top.Chaincodes {
			pkg, err := deploy.NewPackage(top, l, org, i)
			require.NoError(t, err)
			require.False(t, seen[pkg.ID], pkg.ID)
			seen[pkg.ID] = true
		}
	}
}
