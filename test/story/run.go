package story

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/hutong-gov/hutong/network"
	"github.com/hutong-gov/hutong/network/door"
	"github.com/hutong-gov/hutong/test/departments"
)

// Folders in a network's state folder.
const (
	departmentsFolder = "departments" // the departments' databases
	devicesFolder     = "devices"     // the citizens' own keys
	connectorsFolder  = "connectors"  // in a gateway's folder
)

// connected says which datasets each organisation's gateway reads from its departments' databases.
var connected = map[string][]string{
	"services": {"identity", "household", "marriage", "insurance", "disability"},
	"planning": {"premises", "deed"},
	"market":   {"enterprise", "taxpayer", "declaration"},
}

// Prepare writes the departments' databases of a network, and connects them to the gateways. It may be called before the
// network is up; a gateway that runs is told by network.Up, which restarts what has a changed configuration.
func Prepare(ctx context.Context, n *network.Network, world departments.World) error {
	databases := filepath.Join(n.Options.State, departmentsFolder)
	if err := world.Write(ctx, databases); err != nil {
		return err
	}
	for _, org := range n.Topology.Organisations {
		folder := n.Layout.Organisation(org).Gateway().File(connectorsFolder)
		for _, name := range connected[org.Name] {
			if err := departments.Connect(name, folder, databases); err != nil {
				return err
			}
		}
	}
	return nil
}

// Run prepares a network, brings it up if it is not, and tells the story there.
func Run(ctx context.Context, out io.Writer, n *network.Network, citizens ...string) (Report, error) {
	world := departments.Generate()
	if err := Prepare(ctx, n, world); err != nil {
		return Report{}, err
	}
	if err := n.Up(ctx); err != nil {
		return Report{}, err
	}
	report, err := Tell(ctx, out, NewLive(n), Options{World: world, Keys: filepath.Join(n.Options.State, devicesFolder), Citizens: citizens})
	if err != nil {
		return report, err
	}
	if err := privacy(ctx, out, n, world, report.Subject); err != nil {
		return report, err
	}
	report.Print(out)
	return report, addresses(out, n)
}

// privacy searches blocks, logs and metrics for what the departments know of people, and shows that the search can find.
func privacy(ctx context.Context, out io.Writer, n *network.Network, world departments.World, subject string) error {
	fmt.Fprintf(out, "\n个人数据 Personal data\n")
	personal, left := world.Personal()
	scan, err := ScanNetwork(ctx, n, append(personal, subject), BlocksLogsMetrics)
	if err != nil {
		return err
	}
	if found := len(scan.Found) - scan.In("", len(personal)); found > 0 {
		return fmt.Errorf("personal data was found in %d places, the first is %s", found, scan.Found[0].Where)
	}
	control := scan.In("block", len(personal))
	if control == 0 {
		return errors.New("the search does not find the pseudonym, which is in blocks: it proves nothing")
	}
	if scan.Known != len(personal) {
		return fmt.Errorf("the search finds %d of %d names, numbers and addresses in the departments' own databases, which have all: it proves nothing", scan.Known, len(personal))
	}
	fmt.Fprintf(out, "  searched %d blocks, %d logs and the metrics of %d processes for %d names, numbers and addresses of all departments: found none\n", scan.Blocks, scan.Logs, scan.Metrics, len(personal))
	fmt.Fprintf(out, "  (%d other values, such as dates and kinds, are too short or too common to be anybody's)\n", left)
	fmt.Fprintf(out, "  the same search finds all of them in the departments' own databases, and the applicant's pseudonym in %d blocks\n", control)
	return nil
}

// addresses says where to look and what to do next.
func addresses(out io.Writer, n *network.Network) error {
	root, err := n.TLSRoot(n.Topology.Organisations[0].Name)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n看一看 Look around (the network is left running)\n")
	for _, org := range n.Topology.Organisations {
		fmt.Fprintf(out, "  %-9s %s/docs   %s\n", org.Name, n.Topology.GatewayURL(org), org.Who())
	}
	fmt.Fprintf(out, `  sign in   as citizen1 … 3 (at services), officer.regulation, officer.tax, admin.regulation …, auditor (at audit): no password
            %s
  trust     the gateways' certificates stand under roots such as %s
  next      bin/hutong status · bin/hutong logs · make demo (again) · make down
`, n.Topology.IdentityProviderURL(), root)
	return nil
}

// Live is a City on a network that runs.
type Live = door.Doors

// NewLive is the city of a network.
func NewLive(n *network.Network) *Live { return door.To(n) }
