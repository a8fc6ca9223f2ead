/** Containers of a pod and what is inside them. Source: Kubernetes API reference v1.32, Pod. */
import { json, listOf, struct, words } from './object-schema.ts';

export const nameRef = struct('NameRef', { name: json, optional: json });
const keyRef = struct('KeyRef', { name: json, key: json, optional: json });
export const fieldRef = struct('FieldRef', { fieldPath: json, apiVersion: words('v1') });
export const resourceFieldRef = struct('ResourceFieldRef', { resource: json, containerName: json, divisor: json });

const envVarSource = struct('EnvVarSource', {
  configMapKeyRef: keyRef,
  secretKeyRef: keyRef,
  fieldRef,
  resourceFieldRef,
});
const envVar = struct('EnvVar', { name: json, value: json, valueFrom: envVarSource });
const envFromSource = struct('EnvFromSource', { configMapRef: nameRef, secretRef: nameRef, prefix: json });

const containerPort = struct('ContainerPort', {
  containerPort: json,
  protocol: words('TCP', 'UDP', 'SCTP'),
  name: json,
  hostPort: json,
  hostIP: json,
});
const volumeMount = struct('VolumeMount', {
  name: json,
  mountPath: json,
  readOnly: json,
  subPath: json,
  subPathExpr: json,
  mountPropagation: json,
  recursiveReadOnly: json,
});
const volumeDevice = struct('VolumeDevice', { name: json, devicePath: json });

const execAction = struct('ExecAction', { command: json });
const httpHeader = struct('HTTPHeader', { name: json, value: json });
const httpGetAction = struct('HTTPGetAction', {
  path: json,
  port: json,
  scheme: words('HTTP', 'HTTPS'),
  host: json,
  httpHeaders: listOf(httpHeader),
});
const tcpSocketAction = struct('TCPSocketAction', { port: json, host: json });
const grpcAction = struct('GRPCAction', { port: json, service: json });
const sleepAction = struct('SleepAction', { seconds: json });

const probe = struct('Probe', {
  httpGet: httpGetAction,
  exec: execAction,
  tcpSocket: tcpSocketAction,
  periodSeconds: json,
  timeoutSeconds: json,
  successThreshold: json,
  failureThreshold: json,
  initialDelaySeconds: json,
  grpc: grpcAction,
  terminationGracePeriodSeconds: json,
});
const lifecycleHandler = struct('LifecycleHandler', {
  exec: execAction,
  httpGet: httpGetAction,
  tcpSocket: tcpSocketAction,
  sleep: sleepAction,
});
const lifecycle = struct('Lifecycle', { preStop: lifecycleHandler, postStart: lifecycleHandler });

export const resources = struct('Resources', { requests: json, limits: json, claims: json });
const capabilities = struct('Capabilities', { add: json, drop: json });
export const profile = struct('SecurityProfile', {
  type: words('RuntimeDefault', 'Unconfined', 'Localhost'),
  localhostProfile: json,
});
export const seLinuxOptions = struct('SELinuxOptions', { user: json, role: json, type: json, level: json });

const securityContext = struct('SecurityContext', {
  runAsUser: json,
  runAsGroup: json,
  runAsNonRoot: json,
  readOnlyRootFilesystem: json,
  allowPrivilegeEscalation: json,
  privileged: json,
  capabilities,
  seccompProfile: profile,
  seLinuxOptions,
  procMount: json,
  appArmorProfile: profile,
  windowsOptions: json,
});

/** Also of ephemeral containers, whose `targetContainerName` goes with the rest. */
export const container = struct('Container', {
  name: json,
  image: json,
  imagePullPolicy: words('IfNotPresent', 'Always', 'Never'),
  command: json,
  args: json,
  env: listOf(envVar),
  ports: listOf(containerPort),
  resources,
  volumeMounts: listOf(volumeMount),
  terminationMessagePath: words('/dev/termination-log'),
  terminationMessagePolicy: words('File', 'FallbackToLogsOnError'),
  livenessProbe: probe,
  readinessProbe: probe,
  startupProbe: probe,
  securityContext,
  workingDir: json,
  envFrom: listOf(envFromSource),
  lifecycle,
  restartPolicy: json,
  stdin: json,
  stdinOnce: json,
  tty: json,
  volumeDevices: listOf(volumeDevice),
  resizePolicy: json,
});
