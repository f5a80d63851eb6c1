package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// NewServer is [New] behind Terraform's protocol, where an interrupt can be heard.
func NewServer(version string, rt Runtime) func() tfprotov6.ProviderServer {
	serve := New(version, rt)
	return func() tfprotov6.ProviderServer {
		return &server{providerserver.NewProtocol6(serve())().(protocol), rt.Stopping}
	}
}

// protocol is all that a Terraform can ask for. What a newer one asks for is not part of
// the first interface yet, and a server that has that one alone seems to lack it.
type protocol interface {
	tfprotov6.ProviderServer
	tfprotov6.ActionServer
	tfprotov6.ListResourceServer
}

type server struct {
	protocol
	stopping func()
}

// StopProvider is called when Terraform is interrupted, whatever this process does at
// that time. The framework passes it on to nobody, and cancels what goes on.
func (s *server) StopProvider(ctx context.Context, req *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	if s.stopping != nil {
		s.stopping()
	}
	return s.protocol.StopProvider(ctx, req)
}
