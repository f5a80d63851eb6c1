// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// NewServer is [New] behind Terraform's protocol, which tells of an interrupt.
func NewServer(version string, rt Runtime) func() tfprotov6.ProviderServer {
	serve := New(version, rt)
	return func() tfprotov6.ProviderServer {
		return &server{providerserver.NewProtocol6(serve())().(protocol), rt.Stopping}
	}
}

// protocol is everything that Terraform can ask for. The first interface does not yet
// include what newer versions ask for.
type protocol interface {
	tfprotov6.ProviderServer
	tfprotov6.ActionServer
	tfprotov6.ListResourceServer
}

type server struct {
	protocol
	stopping func()
}

// StopProvider is called when Terraform is interrupted, whatever this process is doing. The
// framework cancels what is under way, but tells nobody why.
func (s *server) StopProvider(ctx context.Context, req *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	if s.stopping != nil {
		s.stopping()
	}
	return s.protocol.StopProvider(ctx, req)
}
