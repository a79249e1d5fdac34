// Command pki writes the certificates of one throw-away cluster into a folder.
//
//	pki FOLDER NODE-NAME SERVING-ADDRESS...
//
// One CA signs everything; keys never leave the machine they were made on.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const lifetime = 10 * 365 * 24 * time.Hour

type authority struct {
	folder      string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

type leaf struct {
	file, commonName, organization string
	addresses                      []string // a serving certificate when there are any
}

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: pki FOLDER NODE-NAME SERVING-ADDRESS...")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(folder, node string, addresses []string) error {
	ca, err := newAuthority(folder)
	if err != nil {
		return err
	}
	serving := append([]string{"localhost", "127.0.0.1"}, addresses...)
	leaves := []leaf{
		{"apiserver", "kube-apiserver", "", append(serving, "kubernetes", "kubernetes.default",
			"kubernetes.default.svc", "kubernetes.default.svc.cluster.local")},
		{"kubelet-server", "system:node:" + node, "system:nodes", append(serving, node)},
		{"apiserver-kubelet-client", "waypost:apiserver-kubelet-client", "system:masters", nil},
		{"admin", "waypost:admin", "system:masters", nil},
		{"controller-manager", "system:kube-controller-manager", "", nil},
		{"scheduler", "system:kube-scheduler", "", nil},
		{"proxy", "system:kube-proxy", "", nil},
		{"kubelet", "system:node:" + node, "system:nodes", nil},
	}
	for _, wanted := range leaves {
		if err := ca.issue(wanted); err != nil {
			return fmt.Errorf("%s: %w", wanted.file, err)
		}
	}
	return serviceAccountKeys(folder)
}

func newAuthority(folder string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "waypost-embedded-ca"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	ca := &authority{folder, template, key}
	return ca, ca.sign("ca", template, key)
}

func (ca *authority) issue(wanted leaf) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: wanted.commonName},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if wanted.organization != "" {
		template.Subject.Organization = []string{wanted.organization}
	}
	for _, address := range wanted.addresses {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		if ip := net.ParseIP(address); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, address)
		}
	}
	return ca.sign(wanted.file, template, key)
}

func (ca *authority) sign(file string, template *x509.Certificate, key *ecdsa.PrivateKey) error {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	template.SerialNumber = serial
	// Clocks of a freshly restored virtual machine jump: an hour of slack costs nothing.
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = template.NotBefore.Add(lifetime)
	der, err := x509.CreateCertificate(rand.Reader, template, ca.certificate, key.Public(), ca.key)
	if err != nil {
		return err
	}
	if ca.certificate == template {
		if ca.certificate, err = x509.ParseCertificate(der); err != nil {
			return err
		}
	}
	if err := write(filepath.Join(ca.folder, file+".crt"), "CERTIFICATE", der, 0o644); err != nil {
		return err
	}
	return writeKey(filepath.Join(ca.folder, file+".key"), key)
}

func serviceAccountKeys(folder string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := write(filepath.Join(folder, "sa.pub"), "PUBLIC KEY", public, 0o644); err != nil {
		return err
	}
	return writeKey(filepath.Join(folder, "sa.key"), key)
}

func writeKey(path string, key crypto.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return write(path, "PRIVATE KEY", der, 0o600)
}

func write(path, kind string, der []byte, mode os.FileMode) error {
	block := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	return os.WriteFile(path, block, mode)
}
