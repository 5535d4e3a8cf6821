import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/** Signs with the keys of files and encrypts with those of others, and waits. */
public class Keys {
    static byte[] take(String name) throws Exception {
        byte[] bytes = Files.readAllBytes(Path.of(name));
        Files.delete(Path.of(name));
        return bytes;
    }

    public static void main(String[] arguments) throws Exception {
        byte[] der = take("rsa");
        PrivateKey key = KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(der));
        Arrays.fill(der, (byte) 0);
        Signature signature = Signature.getInstance("SHA256withRSA");
        signature.initSign(key);
        signature.update(new byte[9]);
        signature.sign();
        Cipher[] ciphers = new Cipher[3];
        for (int i = 0; i < 3; i++) {
            byte[] secret = take("aes" + (128 + 64 * i));
            ciphers[i] = Cipher.getInstance("AES/CBC/PKCS5Padding");
            ciphers[i].init(Cipher.ENCRYPT_MODE, new SecretKeySpec(secret, "AES"), new IvParameterSpec(new byte[16]));
            ciphers[i].update(new byte[32]);
            Arrays.fill(secret, (byte) 0);
        }
        byte[] secret = take("hmac");
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(secret, "HmacSHA256"));
        mac.doFinal(new byte[9]);
        Arrays.fill(secret, (byte) 0);
        byte[] curve = take("ed25519");
        PrivateKey edwards = KeyFactory.getInstance("Ed25519").generatePrivate(new PKCS8EncodedKeySpec(curve));
        Arrays.fill(curve, (byte) 0);
        System.out.println("READY");
        System.in.read();
        System.out.println(ciphers.length + key.getAlgorithm() + mac.getAlgorithm() + edwards.getAlgorithm());
    }
}
