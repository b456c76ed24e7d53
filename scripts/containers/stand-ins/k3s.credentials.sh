# Sourced by k3s.sh: the certificates of the control plane and the kubeconfig of its administrator.
# shellcheck shell=sh disable=SC2154

new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

# NAME SUBJECT EXTENSIONS: a certificate by the cluster's own authority.
issue() {
  new_key "$tls/$1.key"
  printf 'basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\n%b' "$3" > "$tls/$1.ext"
  openssl req -new -key "$tls/$1.key" -subj "$2" |
    openssl x509 -req -CA "$tls/ca.crt" -CAkey "$tls/ca.key" -CAcreateserial -days 365 -extfile "$tls/$1.ext" -out "$tls/$1.crt" 2> /dev/null
}

if [ ! -f "$data/sa.pub" ]; then
  new_key "$tls/ca.key"
  openssl req -x509 -new -key "$tls/ca.key" -days 3650 -subj /CN=k3s-server-ca -addext keyUsage=critical,digitalSignature,keyCertSign -out "$tls/ca.crt"
  openssl genrsa -out "$data/sa.key" 2048 2> /dev/null
  openssl rsa -in "$data/sa.key" -pubout -out "$data/sa.pub" 2> /dev/null
fi
issue server /CN=k3s "extendedKeyUsage=serverAuth\nsubjectAltName=$sans\n"
issue admin /O=system:masters/CN=system:admin "extendedKeyUsage=clientAuth\n"

encoded() { base64 "$1" | tr -d '\n'; }

kubeconfig() {
  cat << END
apiVersion: v1
kind: Config
clusters:
  - name: default
    cluster:
      certificate-authority-data: $(encoded "$tls/ca.crt")
      server: https://127.0.0.1:6443
contexts:
  - name: default
    context: { cluster: default, user: default }
current-context: default
users:
  - name: default
    user:
      client-certificate-data: $(encoded "$tls/admin.crt")
      client-key-data: $(encoded "$tls/admin.key")
END
}
own=/etc/rancher/k3s/k3s.yaml
kubeconfig > "$data/admin.kubeconfig"
ln -sf "$data/admin.kubeconfig" /root/.kube/config
# Before anything is ready: who waits for the cluster reads it at once.
if [ -n "$output" ]; then
  mkdir -p "$(dirname "$output")"
  ln -sf "$output" "$own"
else
  output=$own
fi
kubeconfig > "$output"
chmod "$mode" "$output"
