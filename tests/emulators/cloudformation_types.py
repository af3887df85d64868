"""The calls that create each type of resource of our templates.

A function takes a resource's properties out of the mapping that it is handed; what it leaves there
is not translated. Where moto does not know something, it is taken out and dropped, with the reason
beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Client = Callable[[str], Any]  # a service's boto3 client
Properties = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Created:
    """A resource as `Ref` and `Fn::GetAtt` see it."""

    ref: str
    attributes: Mapping[str, str] = field(default_factory=dict)


Create = Callable[[Client, str, Properties], Created]

TYPES: dict[str, Create] = {}


def _type(name: str) -> Callable[[Create], Create]:
    def register(create: Create) -> Create:
        TYPES[f"AWS::{name}"] = create
        return create

    return register


def _taken(properties: Properties) -> Properties:
    """All that is left."""
    rest = dict(properties)
    properties.clear()
    return rest


def _camel(part: Any) -> Any:
    """With the names that the API of ECS and others use: `containerPort` for `ContainerPort`."""
    if isinstance(part, dict):
        return {key[:1].lower() + key[1:]: _camel(value) for key, value in part.items()}
    return [_camel(value) for value in part] if isinstance(part, list) else part


def _tags(properties: Properties) -> list[dict[str, str]]:
    tags: list[dict[str, str]] = properties.pop("Tags", [])
    return tags


# --- Network ---


@_type("EC2::VPC")
def _vpc(client: Client, name: str, properties: Properties) -> Created:
    ec2 = client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock=properties.pop("CidrBlock"))["Vpc"]["VpcId"]
    for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=vpc_id, **{attribute: {"Value": properties.pop(attribute)}})
    ec2.create_tags(Resources=[vpc_id], Tags=_tags(properties))
    return Created(vpc_id)


@_type("EC2::InternetGateway")
def _internet_gateway(client: Client, name: str, properties: Properties) -> Created:
    return Created(client("ec2").create_internet_gateway()["InternetGateway"]["InternetGatewayId"])


@_type("EC2::VPCGatewayAttachment")
def _gateway_attachment(client: Client, name: str, properties: Properties) -> Created:
    client("ec2").attach_internet_gateway(**_taken(properties))
    return Created(name)


@_type("EC2::Subnet")
def _subnet(client: Client, name: str, properties: Properties) -> Created:
    tags = _tags(properties)
    subnet_id = client("ec2").create_subnet(**_taken(properties))["Subnet"]["SubnetId"]
    client("ec2").create_tags(Resources=[subnet_id], Tags=tags)
    return Created(subnet_id)


@_type("EC2::RouteTable")
def _route_table(client: Client, name: str, properties: Properties) -> Created:
    made = client("ec2").create_route_table(**_taken(properties))
    return Created(made["RouteTable"]["RouteTableId"])


@_type("EC2::Route")
def _route(client: Client, name: str, properties: Properties) -> Created:
    client("ec2").create_route(**_taken(properties))
    return Created(name)


@_type("EC2::SubnetRouteTableAssociation")
def _route_association(client: Client, name: str, properties: Properties) -> Created:
    return Created(client("ec2").associate_route_table(**_taken(properties))["AssociationId"])


@_type("EC2::EIP")
def _address(client: Client, name: str, properties: Properties) -> Created:
    made = client("ec2").allocate_address(**_taken(properties))
    return Created(made["PublicIp"], {"AllocationId": made["AllocationId"]})


@_type("EC2::NatGateway")
def _nat_gateway(client: Client, name: str, properties: Properties) -> Created:
    made = client("ec2").create_nat_gateway(**_taken(properties))
    return Created(made["NatGateway"]["NatGatewayId"])


@_type("EC2::VPCEndpoint")
def _endpoint(client: Client, name: str, properties: Properties) -> Created:
    made = client("ec2").create_vpc_endpoint(**_taken(properties))
    return Created(made["VpcEndpoint"]["VpcEndpointId"])


@_type("EC2::SecurityGroup")
def _security_group(client: Client, name: str, properties: Properties) -> Created:
    ec2 = client("ec2")
    ingress = properties.pop("SecurityGroupIngress", [])
    egress = properties.pop("SecurityGroupEgress", [])
    group_id = ec2.create_security_group(
        GroupName=name,
        Description=properties.pop("GroupDescription"),
        VpcId=properties.pop("VpcId"),
    )["GroupId"]
    if egress:  # takes the place of the rule that allows everything
        everything = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
        ec2.revoke_security_group_egress(
            GroupId=group_id, IpPermissions=everything["IpPermissionsEgress"]
        )
    for rule in ingress:
        ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[_permission(rule)])
    for rule in egress:
        ec2.authorize_security_group_egress(GroupId=group_id, IpPermissions=[_permission(rule)])
    return Created(group_id, {"GroupId": group_id})


@_type("EC2::SecurityGroupIngress")
def _ingress(client: Client, name: str, properties: Properties) -> Created:
    client("ec2").authorize_security_group_ingress(
        GroupId=properties.pop("GroupId"), IpPermissions=[_permission(_taken(properties))]
    )
    return Created(name)


@_type("EC2::SecurityGroupEgress")
def _egress(client: Client, name: str, properties: Properties) -> Created:
    client("ec2").authorize_security_group_egress(
        GroupId=properties.pop("GroupId"), IpPermissions=[_permission(_taken(properties))]
    )
    return Created(name)


def _permission(rule: Properties) -> Properties:
    described = {"Description": rule["Description"]}
    peer = rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId")
    return {
        **{key: rule[key] for key in ("IpProtocol", "FromPort", "ToPort")},
        **(
            {"UserIdGroupPairs": [{"GroupId": peer, **described}]}
            if peer
            else {"IpRanges": [{"CidrIp": rule["CidrIp"], **described}]}
        ),
    }


# --- Image, key, files ---


@_type("ECR::Repository")
def _repository(client: Client, name: str, properties: Properties) -> Created:
    lifecycle = properties.pop("LifecyclePolicy")
    wanted = _camel(_taken(properties))
    made = client("ecr").create_repository(**wanted)["repository"]
    client("ecr").put_lifecycle_policy(
        repositoryName=made["repositoryName"],
        lifecyclePolicyText=lifecycle["LifecyclePolicyText"],
    )
    return Created(made["repositoryName"], {"RepositoryUri": made["repositoryUri"]})


@_type("KMS::Key")
def _key(client: Client, name: str, properties: Properties) -> Created:
    kms = client("kms")
    key = kms.create_key(
        Policy=json.dumps(properties.pop("KeyPolicy")), Description=properties.pop("Description")
    )["KeyMetadata"]
    if properties.pop("EnableKeyRotation"):
        kms.enable_key_rotation(KeyId=key["KeyId"])
    return Created(key["KeyId"], {"Arn": key["Arn"]})


@_type("KMS::Alias")
def _alias(client: Client, name: str, properties: Properties) -> Created:
    alias = properties["AliasName"]
    client("kms").create_alias(**_taken(properties))
    return Created(alias)


@_type("S3::Bucket")
def _bucket(client: Client, name: str, properties: Properties) -> Created:
    s3 = client("s3")
    bucket = properties.pop("BucketName")
    s3.create_bucket(
        Bucket=bucket,
        CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name},
        ObjectOwnership=properties.pop("OwnershipControls")["Rules"][0]["ObjectOwnership"],
        ObjectLockEnabledForBucket=properties.pop("ObjectLockEnabled", False),
    )
    if versioning := properties.pop("VersioningConfiguration", None):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioning)
    s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration=properties.pop("PublicAccessBlockConfiguration"),
    )
    s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
                    "BucketKeyEnabled": rule.get("BucketKeyEnabled", False),
                }
                for rule in properties.pop("BucketEncryption")["ServerSideEncryptionConfiguration"]
            ]
        },
    )
    # moto wants a grant of an ACL to the log bucket, which S3 no longer does.
    properties.pop("LoggingConfiguration", None)
    if lock := properties.pop("ObjectLockConfiguration", None):
        retention = lock["Rule"]["DefaultRetention"]
        retention["Days"] = int(retention["Days"])
        s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)
    lifecycle = properties.pop("LifecycleConfiguration")
    s3.put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={"Rules": [_lifecycle_rule(rule) for rule in lifecycle["Rules"]]},
    )
    return Created(bucket, {"Arn": f"arn:aws:s3:::{bucket}"})


def _lifecycle_rule(rule: Properties) -> Properties:
    translated = {
        "ID": rule.pop("Id"),
        "Status": rule.pop("Status"),
        "Filter": {"Prefix": rule.pop("Prefix", "")},
    }
    if days := rule.pop("ExpirationInDays", None):
        translated["Expiration"] = {"Days": int(days)}
    if transitions := rule.pop("Transitions", None):
        translated["Transitions"] = [
            {"Days": move["TransitionInDays"], "StorageClass": move["StorageClass"]}
            for move in transitions
        ]
    return {**translated, **_taken(rule)}


@_type("S3::BucketPolicy")
def _bucket_policy(client: Client, name: str, properties: Properties) -> Created:
    client("s3").put_bucket_policy(
        Bucket=properties.pop("Bucket"), Policy=json.dumps(properties.pop("PolicyDocument"))
    )
    return Created(name)


# --- Notices and mails ---


@_type("SNS::Topic")
def _topic(client: Client, name: str, properties: Properties) -> Created:
    topic = properties.pop("TopicName")
    arn = client("sns").create_topic(Name=topic, Attributes=_taken(properties))["TopicArn"]
    return Created(arn, {"TopicName": topic, "TopicArn": arn})


@_type("SNS::TopicPolicy")
def _topic_policy(client: Client, name: str, properties: Properties) -> Created:
    policy = json.dumps(properties.pop("PolicyDocument"))
    for arn in properties.pop("Topics"):
        client("sns").set_topic_attributes(
            TopicArn=arn, AttributeName="Policy", AttributeValue=policy
        )
    return Created(name)


@_type("SNS::Subscription")
def _subscription(client: Client, name: str, properties: Properties) -> Created:
    wanted = {key: properties.pop(key) for key in ("TopicArn", "Protocol", "Endpoint")}
    made = client("sns").subscribe(
        **wanted, Attributes=_attributes(properties), ReturnSubscriptionArn=True
    )
    return Created(made["SubscriptionArn"])


def _attributes(properties: Properties) -> dict[str, str]:
    """All that is left, as the APIs of SNS and SQS take it."""
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in _taken(properties).items()
    }


@_type("SQS::Queue")
def _queue(client: Client, name: str, properties: Properties) -> Created:
    sqs = client("sqs")
    queue = properties.pop("QueueName")
    url = sqs.create_queue(QueueName=queue, Attributes=_attributes(properties))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return Created(url, {"Arn": arn["Attributes"]["QueueArn"], "QueueName": queue})


@_type("SQS::QueuePolicy")
def _queue_policy(client: Client, name: str, properties: Properties) -> Created:
    policy = json.dumps(properties.pop("PolicyDocument"))
    for url in properties.pop("Queues"):
        client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return Created(name)


@_type("SES::ConfigurationSet")
def _configuration_set(client: Client, name: str, properties: Properties) -> Created:
    configuration_set = properties.pop("Name")
    client("sesv2").create_configuration_set(
        ConfigurationSetName=configuration_set, **_taken(properties)
    )
    return Created(configuration_set)


@_type("SES::ConfigurationSetEventDestination")
def _event_destination(client: Client, name: str, properties: Properties) -> Created:
    destination = properties.pop("EventDestination")
    name = destination.pop("Name")
    if topic := destination.pop("SnsDestination", None):
        destination["SnsDestination"] = {"TopicArn": topic["TopicARN"]}
    if bus := destination.pop("EventBridgeDestination", None):
        destination["EventBridgeDestination"] = {"EventBusArn": bus["EventBusArn"]}
    client("sesv2").create_configuration_set_event_destination(
        ConfigurationSetName=properties.pop("ConfigurationSetName"),
        EventDestinationName=name,
        EventDestination=destination,
    )
    return Created(name)


@_type("SES::EmailIdentity")
def _identity(client: Client, name: str, properties: Properties) -> Created:
    domain = properties.pop("EmailIdentity")
    client("sesv2").create_email_identity(
        EmailIdentity=domain,
        ConfigurationSetName=properties.pop("ConfigurationSetAttributes")["ConfigurationSetName"],
        DkimSigningAttributes=properties.pop("DkimSigningAttributes"),
    )
    # moto has no calls for these.
    for attributes in ("DkimAttributes", "MailFromAttributes", "FeedbackAttributes"):
        properties.pop(attributes)
    records = {
        f"DkimDNSToken{part}{number}": f"{part.lower()}{number}.{domain}"
        for part in ("Name", "Value")
        for number in (1, 2, 3)
    }
    return Created(domain, records)


# --- Databases and secrets ---


@_type("RDS::DBSubnetGroup")
def _subnet_group(client: Client, name: str, properties: Properties) -> Created:
    client("rds").create_db_subnet_group(DBSubnetGroupName=name.lower(), **_taken(properties))
    return Created(name.lower())


@_type("RDS::DBParameterGroup")
def _parameter_group(client: Client, name: str, properties: Properties) -> Created:
    rds = client("rds")
    rds.create_db_parameter_group(
        DBParameterGroupName=name.lower(),
        DBParameterGroupFamily=properties.pop("Family"),
        Description=properties.pop("Description"),
    )
    rds.modify_db_parameter_group(
        DBParameterGroupName=name.lower(),
        Parameters=[
            {"ParameterName": key, "ParameterValue": value, "ApplyMethod": "pending-reboot"}
            for key, value in properties.pop("Parameters").items()
        ],
    )
    return Created(name.lower())


@_type("RDS::DBInstance")
def _database(client: Client, name: str, properties: Properties) -> Created:
    rds = client("rds")
    if allocated := properties.pop("AllocatedStorage", None):
        properties["AllocatedStorage"] = int(allocated)
    if protects := properties.pop("DeletionProtection", None):
        properties["DeletionProtection"] = protects == "true"
    properties["VpcSecurityGroupIds"] = properties.pop("VPCSecurityGroups")
    properties["PerformanceInsightsKMSKeyId"] = properties.pop("PerformanceInsightsKMSKeyId")
    if secret := properties.pop("MasterUserSecret", None):
        properties["MasterUserSecretKmsKeyId"] = secret["KmsKeyId"]
    properties.pop("AllowMajorVersionUpgrade", None)  # of a change, not of a creation
    identifier = properties["DBInstanceIdentifier"]
    wanted = _taken(properties)
    if "SourceDBInstanceIdentifier" in wanted:
        made = rds.create_db_instance_read_replica(**wanted)["DBInstance"]
        return Created(identifier, {"Endpoint.Address": made["Endpoint"]["Address"]})
    if "DBSnapshotIdentifier" in wanted:
        made = _restored(rds, wanted)
    else:
        made = rds.create_db_instance(**wanted)["DBInstance"]
    # RDS keeps the password there; moto only says so.
    secret = client("secretsmanager").create_secret(
        Name=f"rds!{identifier}",
        SecretString=json.dumps(
            {"username": made["MasterUsername"], "password": "administrator-password"}
        ),
    )
    return Created(
        identifier,
        {
            "Endpoint.Address": made["Endpoint"]["Address"],
            "MasterUserSecret.SecretArn": secret["ARN"],
        },
    )


def _restored(rds: Any, wanted: Properties) -> Properties:
    """An instance made of a snapshot; what RDS does not take then is changed afterwards."""
    known = rds.meta.service_model.operation_model("RestoreDBInstanceFromDBSnapshot").input_shape
    at_once = {key: value for key, value in wanted.items() if key in known.members}
    rds.restore_db_instance_from_db_snapshot(**at_once)
    changed: Properties = rds.modify_db_instance(
        DBInstanceIdentifier=wanted["DBInstanceIdentifier"],
        ApplyImmediately=True,
        **{key: value for key, value in wanted.items() if key not in known.members},
    )["DBInstance"]
    return changed


@_type("SecretsManager::Secret")
def _secret(client: Client, name: str, properties: Properties) -> Created:
    manager = client("secretsmanager")
    if generated := properties.pop("GenerateSecretString", None):
        password = manager.get_random_password(
            PasswordLength=generated["PasswordLength"],
            ExcludePunctuation=generated["ExcludePunctuation"],
        )["RandomPassword"]
        template = generated.get("SecretStringTemplate")
        properties["SecretString"] = (
            json.dumps({**json.loads(template), generated["GenerateStringKey"]: password})
            if template
            else password
        )
    return Created(manager.create_secret(Name=name, **_taken(properties))["ARN"])


# --- Logs, roles, tasks ---


@_type("Logs::LogGroup")
def _log_group(client: Client, name: str, properties: Properties) -> Created:
    logs = client("logs")
    group = properties.pop("LogGroupName")
    logs.create_log_group(logGroupName=group, kmsKeyId=properties.pop("KmsKeyId"))
    logs.put_retention_policy(
        logGroupName=group, retentionInDays=int(properties.pop("RetentionInDays"))
    )
    [found] = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    return Created(group, {"Arn": found["arn"]})


@_type("Logs::MetricFilter")
def _metric_filter(client: Client, name: str, properties: Properties) -> Created:
    client("logs").put_metric_filter(filterName=name, **_camel(_taken(properties)))
    return Created(name)


@_type("IAM::Role")
def _role(client: Client, name: str, properties: Properties) -> Created:
    iam = client("iam")
    policies = properties.pop("Policies", [])
    managed = properties.pop("ManagedPolicyArns", [])
    trust = json.dumps(properties.pop("AssumeRolePolicyDocument"))
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, **_taken(properties))
    for policy in policies:
        iam.put_role_policy(
            RoleName=name,
            PolicyName=policy["PolicyName"],
            PolicyDocument=json.dumps(policy["PolicyDocument"]),
        )
    for arn in managed:
        # moto has the policies of AWS only where it was told to load them all.
        if not arn.startswith("arn:aws:iam::aws:policy/"):
            iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    return Created(name, {"Arn": role["Role"]["Arn"]})


@_type("ECS::Cluster")
def _cluster(client: Client, name: str, properties: Properties) -> Created:
    settings = _camel(properties.pop("ClusterSettings"))
    cluster = client("ecs").create_cluster(settings=settings, **_camel(_taken(properties)))
    return Created(cluster["cluster"]["clusterName"], {"Arn": cluster["cluster"]["clusterArn"]})


@_type("ECS::TaskDefinition")
def _task_definition(client: Client, name: str, properties: Properties) -> Created:
    # The names of a log driver's options are its own.
    options = [
        container["LogConfiguration"].pop("Options")
        for container in properties["ContainerDefinitions"]
    ]
    wanted = _camel(_taken(properties))
    for container, named in zip(wanted["containerDefinitions"], options, strict=True):
        container["logConfiguration"]["options"] = named
    definition = client("ecs").register_task_definition(**wanted)["taskDefinition"]
    return Created(definition["taskDefinitionArn"])


@_type("ECS::Service")
def _service(client: Client, name: str, properties: Properties) -> Created:
    wanted = _camel(_taken(properties))
    wanted["desiredCount"] = int(wanted["desiredCount"])
    service = client("ecs").create_service(**wanted)["service"]
    return Created(service["serviceArn"], {"Name": service["serviceName"]})


@_type("ServiceDiscovery::PrivateDnsNamespace")
def _namespace(client: Client, name: str, properties: Properties) -> Created:
    discovery = client("servicediscovery")
    wanted = properties["Name"]
    discovery.create_private_dns_namespace(**_taken(properties))
    [made] = [
        found for found in discovery.list_namespaces()["Namespaces"] if found["Name"] == wanted
    ]
    return Created(made["Id"], {"Arn": made["Arn"]})


@_type("ServiceDiscovery::Service")
def _discovered(client: Client, name: str, properties: Properties) -> Created:
    made = client("servicediscovery").create_service(**_taken(properties))["Service"]
    return Created(made["Id"], {"Arn": made["Arn"]})


# --- Load balancers ---


@_type("ElasticLoadBalancingV2::LoadBalancer")
def _balancer(client: Client, name: str, properties: Properties) -> Created:
    elb = client("elbv2")
    attributes = properties.pop("LoadBalancerAttributes")
    [made] = elb.create_load_balancer(Name=name[-32:], **_taken(properties))["LoadBalancers"]
    # moto looks for the policy of the log bucket as it was before 2022, of another account.
    kept = [part for part in attributes if not part["Key"].startswith("access_logs.")]
    elb.modify_load_balancer_attributes(LoadBalancerArn=made["LoadBalancerArn"], Attributes=kept)
    return Created(
        made["LoadBalancerArn"],
        {
            "DNSName": made["DNSName"],
            "LoadBalancerFullName": made["LoadBalancerArn"].partition("loadbalancer/")[2],
        },
    )


@_type("ElasticLoadBalancingV2::TargetGroup")
def _target_group(client: Client, name: str, properties: Properties) -> Created:
    elb = client("elbv2")
    attributes = properties.pop("TargetGroupAttributes")
    [made] = elb.create_target_group(Name=name[-32:], **_taken(properties))["TargetGroups"]
    arn = made["TargetGroupArn"]
    elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=attributes)
    return Created(arn, {"TargetGroupFullName": re.sub(r"^.*:(?=targetgroup/)", "", arn)})


@_type("ElasticLoadBalancingV2::Listener")
def _listener(client: Client, name: str, properties: Properties) -> Created:
    [made] = client("elbv2").create_listener(**_taken(properties))["Listeners"]
    return Created(made["ListenerArn"])


@_type("ElasticLoadBalancingV2::ListenerRule")
def _listener_rule(client: Client, name: str, properties: Properties) -> Created:
    [made] = client("elbv2").create_rule(**_taken(properties))["Rules"]
    return Created(made["RuleArn"])


@_type("WAFv2::WebACL")
def _firewall(client: Client, name: str, properties: Properties) -> Created:
    made = client("wafv2").create_web_acl(**_taken(properties))["Summary"]
    return Created(f"{made['Name']}|{made['Id']}|REGIONAL", {"Arn": made["ARN"]})


@_type("WAFv2::WebACLAssociation")
def _firewall_association(client: Client, name: str, properties: Properties) -> Created:
    client("wafv2").associate_web_acl(**_taken(properties))
    return Created(name)


# --- Alarms and events ---


@_type("CloudWatch::Alarm")
def _alarm(client: Client, name: str, properties: Properties) -> Created:
    client("cloudwatch").put_metric_alarm(AlarmName=name, **_taken(properties))
    return Created(name)


@_type("Events::Rule")
def _rule(client: Client, name: str, properties: Properties) -> Created:
    events = client("events")
    events.put_rule(
        Name=name,
        Description=properties.pop("Description"),
        EventPattern=json.dumps(properties.pop("EventPattern")),
    )
    events.put_targets(Rule=name, Targets=properties.pop("Targets"))
    return Created(name, {"Arn": events.describe_rule(Name=name)["Arn"]})


@_type("Events::Archive")
def _archive(client: Client, name: str, properties: Properties) -> Created:
    archive = properties.pop("ArchiveName")
    made = client("events").create_archive(
        ArchiveName=archive,
        EventSourceArn=properties.pop("SourceArn"),
        EventPattern=json.dumps(properties.pop("EventPattern")),
        **_taken(properties),
    )
    return Created(archive, {"Arn": made["ArchiveArn"]})
